#include "image/memory_plan.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include <ATen/ATen.h>

#include "base/error.h"
#include "spec/count.h"
#include "tensor/device.h"
#include "tensor/weight_source.h"

namespace filigree::image {
namespace {

constexpr std::int64_t kTextTokens = 3 * 128;
constexpr std::int64_t kScoreBytes = 150'000'000;  // of the attention, which goes piece by piece

/// Of "double_stream_blocks.3.block.x": kind "double_stream_blocks", number "3". No number: a part outside the layers.
std::pair<std::string, std::string> layer_of(const std::string& name) {
  // All captions are needed at the beginning, and the last layer is one.
  if (name.starts_with("caption_projection.") || name.starts_with("final_layer.")) return {};
  std::size_t begin = 0;
  while (begin < name.size()) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    const bool digits = end > begin && std::all_of(name.begin() + static_cast<std::ptrdiff_t>(begin),
                                                   name.begin() + static_cast<std::ptrdiff_t>(end),
                                                   [](unsigned char c) { return std::isdigit(c) != 0; });
    if (digits) return {name.substr(0, begin), name.substr(begin, end - begin)};
    begin = end + 1;
  }
  return {};
}

std::int64_t count_numbers(const std::vector<std::int64_t>& shape) {
  std::int64_t total = 1;
  for (const std::int64_t size : shape) total *= size;
  return total;
}

MemoryPlan::Row plan_part(const PlannedPart& part) {
  const std::shared_ptr<const tensor::WeightSource> source = tensor::open_weights(part.path);
  MemoryPlan::Row row{part, "", 0, 0, 0};
  std::map<std::string, std::int64_t> by_type;
  std::map<std::string, std::map<std::string, std::int64_t>> layers;  // numbers by kind and number
  std::int64_t outside = 0;
  for (const std::string& name : source->names()) {
    const std::int64_t numbers = count_numbers(source->shape(name));
    row.numbers += numbers;
    row.file_bytes += source->bytes(name);
    by_type[source->stored_as(name)] += source->bytes(name);
    const auto [kind, number] = layer_of(name);
    if (number.empty()) {
      outside += numbers;
    } else if (name.find("adaLN_modulation") == std::string::npos) {  // used once for all steps, a few rows at a time
      layers[kind][number] += numbers;
    }
  }
  std::int64_t most = -1;
  for (const auto& [type, bytes] : by_type) {
    if (bytes > most) row.stored = type;
    most = std::max(most, bytes);
  }
  std::int64_t held = row.numbers;
  if (part.holding == Holding::layer_by_layer) {
    held = outside;
    for (const auto& [kind, numbers] : layers) {
      std::int64_t largest = 0;
      for (const auto& [number, count] : numbers) largest = std::max(largest, count);
      held += largest;
    }
  }
  row.held_bytes = held * static_cast<std::int64_t>(c10::elementSize(part.dtype));
  return row;
}

}  // namespace

std::int64_t MemoryPlan::peak(const std::string& device) const {
  std::map<int, std::int64_t> phases;
  for (const Row& row : rows) {
    if (row.part.device == device) phases[row.part.phase] += row.held_bytes + row.part.working_bytes;
  }
  std::int64_t most = 0;
  for (const auto& [phase, bytes] : phases) most = std::max(most, bytes);
  return most;
}

Table MemoryPlan::table() const {
  Table table({"part", "weights", "stored as", "in the file", "runs as", "where", "how", "held", "working"});
  std::set<std::string> devices;
  for (const Row& row : rows) {
    devices.insert(row.part.device);
    table.row({row.part.name, fmt::format("{:.3g} M", static_cast<double>(row.numbers) / 1e6), row.stored,
               bytes_text(row.file_bytes), tensor::dtype_name(row.part.dtype), row.part.device,
               row.part.holding == Holding::whole ? "whole" : "layer by layer", bytes_text(row.held_bytes),
               row.part.working_bytes > 0 ? bytes_text(row.part.working_bytes) : ""});
  }
  table.rule();
  for (const std::string& device : devices) {
    table.row({"most at a time", "", "", "", "", device, "", bytes_text(peak(device)), ""});
  }
  return table;
}

MemoryPlan plan_memory(const std::vector<PlannedPart>& parts) {
  MemoryPlan plan;
  for (const PlannedPart& part : parts) plan.rows.push_back(plan_part(part));
  return plan;
}

std::int64_t working_bytes(const spec::Dit& config, std::int64_t image_tokens, std::int64_t batch,
                           at::ScalarType dtype) {
  // The largest moment is inside the experts: inputs, gate, up and their product for every (token, expert) pair; beside
  // some rows of the hidden size, and the texts' features of all blocks.
  const std::int64_t rows = batch * (image_tokens + kTextTokens), hidden = config.hidden();
  const std::int64_t experts =
      config.num_activated_experts * (3 * spec::dit_feed_forward_width(4 * hidden) + 2 * hidden);
  const std::int64_t features = batch * (config.num_layers + config.num_single_layers) * (kTextTokens / 3) * hidden;
  return (rows * (experts + 8 * hidden) + features) * static_cast<std::int64_t>(c10::elementSize(dtype)) + kScoreBytes;
}

std::string bytes_text(std::int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value >= 1e9) return fmt::format("{:.1f} GB", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.1f} MB", value / 1e6);
  return fmt::format("{:.1f} kB", value / 1e3);
}

}  // namespace filigree::image
