#include "plan/measured.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <system_error>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/overrides.h"
#include "base/text.h"
#include "base/units.h"
#include "plan/estimate.h"
#include "spec/check.h"
#include "spec/hf_config.h"
#include "spec/names.h"
#include "spec/resolve.h"

namespace filigree::plan {
namespace {

namespace fs = std::filesystem;
using spec::Layout;
using spec::Model;

/// Settings of one set, in recipes/measured/<set>.json.
struct SetSettings {
  std::string source;
  std::string cluster;
  std::string layout;                         ///< what all rows share, inline form
  std::int64_t vocabulary = 0;                ///< of models that the rows describe by their sizes alone
  bool pad_vocabulary = true;                 ///< to a multiple of 128·tp also where it is not split
  std::map<std::string, std::string> models;  ///< what all rows of one model share: its published run script
  std::map<std::string, std::string> sources;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("source", self.source, "where the measurements come from");
    v.required("cluster", self.cluster, "recipe of the machine");
    v.required("layout", self.layout, "settings of every row");
    v.optional("vocabulary", self.vocabulary, "of models described by their sizes alone", non_negative);
    v.optional("pad_vocabulary", self.pad_vocabulary, "to a multiple of 128·tp also at tp 1");
    v.optional("models", self.models, "further settings by model");
    v.optional("sources", self.sources, "where the settings come from");
  }
};

/// The settings' overrides applied in order: all rows, then the model's.
Layout base_layout(const SetSettings& settings, const std::string& model) {
  Layout layout;
  apply_overrides(layout, parse_pairs(settings.layout, settings.cluster), "measured set");
  const auto it = settings.models.find(model);
  if (it != settings.models.end()) apply_overrides(layout, parse_pairs(it->second, model), "measured set");
  return layout;
}

/// Rows of an embedding as NVIDIA/Megatron-LM: training/tokenizer/tokenizer.py pads them.
std::int64_t padded_vocabulary(const SetSettings& settings, std::int64_t tp) {
  if (tp == 1 && !settings.pad_vocabulary) return settings.vocabulary;
  const std::int64_t unit = 128 * tp;
  return (settings.vocabulary + unit - 1) / unit * unit;
}

/// GPT-2 shaped model.
Model gpt_model(std::int64_t hidden, std::int64_t heads, std::int64_t layers, std::int64_t seq) {
  Model model;
  model.name = fmt::format("gpt h={} layers={}", hidden, layers);
  model.layers = layers;
  model.hidden = hidden;
  model.attention.heads = model.attention.kv_heads = heads;
  model.attention.head_dim = model.attention.v_head_dim = hidden / heads;
  model.attention.qkv_bias = model.attention.output_bias = true;
  model.feed_forward = spec::FeedForwardKind::gelu;
  model.dense_width = 4 * hidden;
  model.max_positions = seq;
  model.learned_positions = model.tied_embeddings = model.layer_norm = model.feed_forward_bias = true;
  return model;
}

/// A whole number of at least `low` that leaves room for products.
std::int64_t bounded(const Csv& csv, std::size_t r, std::string_view column, std::int64_t low) {
  constexpr std::int64_t kHigh = std::int64_t{1} << 24;
  const std::int64_t value = csv.integer(r, column);
  if (value < low || value > kHigh) {
    fail("{}: line {}, column '{}': must be between {} and {}, got {}", csv.where, csv.lines[r], column, low, kHigh,
         value);
  }
  return value;
}

MeasuredRow gpt_row(const Csv& csv, std::size_t r, const SetSettings& settings) {
  MeasuredRow row;
  const auto get = [&](std::string_view column) { return bounded(csv, r, column, 1); };
  const std::int64_t heads = get("attention heads"), hidden = get("hidden size");
  if (hidden % heads != 0) {
    fail("{}: line {}: hidden size {} is not a multiple of {} attention heads", csv.where, csv.lines[r], hidden, heads);
  }
  Layout layout = base_layout(settings, "gpt");
  layout.tp = get("tensor parallelism");
  layout.pp = get("pipeline parallelism");
  layout.dp = get("data parallelism");
  layout.mbs = get("micro batch");
  layout.gbs = get("global batch");
  layout.seq = get("sequence length");
  layout.devices = get("# GPUs");
  row.model = gpt_model(hidden, heads, get("# layers"), layout.seq);
  row.model.vocabulary = padded_vocabulary(settings, layout.tp);
  row.layout = layout;
  row.step_s = csv.number(r, "iteration time (ms)") / 1e3;
  row.label = fmt::format("h{} L{} gpus{} tp{} dp{} pp{} mbs{} gbs{}", hidden, row.model.layers, layout.devices,
                          layout.tp, layout.dp, layout.pp, layout.mbs, layout.gbs);
  return row;
}

/// "tp1ep8pp1" and "tp2cp4pp1" as degrees.
void read_parallel(const std::string& text, Layout& layout, const std::string& where) {
  constexpr std::int64_t kMaxDegree = 1 << 16;
  std::size_t i = 0;
  const std::map<std::string, std::int64_t*> names{{"tp", &layout.tp}, {"pp", &layout.pp}, {"ep", &layout.ep},
                                                   {"cp", &layout.cp}, {"dp", &layout.dp}, {"vpp", &layout.vpp}};
  while (i < text.size()) {
    std::size_t letters = i;
    while (letters < text.size() && std::isalpha(static_cast<unsigned char>(text[letters]))) ++letters;
    std::size_t digits = letters;
    while (digits < text.size() && std::isdigit(static_cast<unsigned char>(text[digits]))) ++digits;
    const auto name = names.find(text.substr(i, letters - i));
    const auto value = text::parse_int(text.substr(letters, digits - letters));
    if (name == names.end() || !value || *value < 1 || *value > kMaxDegree)
      fail("{}: '{}' is not of the form tp1ep8pp1", where, text);
    *name->second = *value;
    i = digits;
  }
}

/// The recipe, cut to `layers` (0: whole). A table may hold models that no recipe describes; such a row is kept with the
/// reason.
void load_row_model(MeasuredRow& row, const std::string& name, std::int64_t layers) {
  const std::vector<std::string> known = recipe_names("models");
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    row.reason = fmt::format("no recipe describes the model '{}'", name);
    return;
  }
  try {
    row.model = spec::load_language_model(name);
    if (layers > 0) row.model = spec::cut_layers(row.model, layers);
  } catch (const Error& error) {
    row.reason = error.what();
  }
}

MeasuredRow node_row(const Csv& csv, std::size_t r, const SetSettings& settings) {
  MeasuredRow row;
  const std::string name = spec::recipe_name(csv.text(r, "model"));
  Layout layout = base_layout(settings, name);
  read_parallel(csv.text(r, "parallel"), layout, fmt::format("{}: line {}", csv.where, csv.lines[r]));
  layout.devices = 8;
  layout.mbs = bounded(csv, r, "micro_batch", 1);
  layout.seq = bounded(csv, r, "seq_len", 1);
  const std::int64_t ways = layout.tp * layout.pp * layout.cp;
  if (ways < 1 || layout.devices % ways != 0) {
    fail("{}: line {}: {} devices do not divide into {}", csv.where, csv.lines[r], layout.devices,
         csv.text(r, "parallel"));
  }
  layout.dp = layout.devices / ways;
  layout.gbs = bounded(csv, r, "microbatches", 1) * layout.mbs * layout.dp;
  load_row_model(row, name, bounded(csv, r, "layers", 0));
  row.layout = layout;
  row.step_s = csv.number(r, "step_ms") / 1e3;
  row.memory_gib = csv.number(r, "peak_alloc_gib");
  row.label = csv.text(r, "case");
  return row;
}

MeasuredRow cluster_row(const Csv& csv, std::size_t r, const SetSettings& settings) {
  MeasuredRow row;
  const std::string shown = csv.text(r, "model");
  const std::string name = spec::recipe_name(shown);
  Layout layout = base_layout(settings, name);
  const auto degree = [&](std::string_view column) {
    return csv.optional_number(r, column) ? bounded(csv, r, column, 1) : std::int64_t{1};
  };
  layout.devices = bounded(csv, r, "gpus", 1);
  layout.tp = degree("tp"), layout.pp = degree("pp"), layout.cp = degree("cp");
  layout.vpp = degree("vpp"), layout.ep = degree("ep");
  layout.gbs = bounded(csv, r, "global_batch", 1), layout.mbs = bounded(csv, r, "micro_batch", 1);
  layout.seq = bounded(csv, r, "seq_len", 1);
  const std::string precision = csv.text(r, "precision");
  layout.dtype = text::lower(precision).starts_with("fp8") ? spec::Dtype::fp8 : spec::Dtype::bf16;
  if (csv.optional_number(r, "fsdp").value_or(0) > 1) layout.zero = 3;
  if (text::lower(shown).find("tokendrop") != std::string::npos) {
    layout.capacity_factor = 1;
    layout.dispatcher = spec::Dispatcher::all_to_all;  // the only one that drops
  }
  // Megatron-Core hides sends only where a stage has several chunks.
  if (layout.vpp == 1) std::erase(layout.overlap, spec::Overlap::pipeline);
  row.layout = layout;
  load_row_model(row, name, 0);
  const double rate = csv.number(r, "tokens_per_s_per_gpu");
  if (rate <= 0)
    fail("{}: line {}: tokens_per_s_per_gpu must be greater than 0, got {}", csv.where, csv.lines[r], rate);
  row.step_s = static_cast<double>(layout.gbs * layout.seq) / (rate * static_cast<double>(layout.devices));
  row.label = fmt::format("{} {} {} gpus{}", csv.text(r, "release"), shown, precision, layout.devices);
  return row;
}

using RowReader = MeasuredRow (*)(const Csv&, std::size_t, const SetSettings&);

const std::vector<std::pair<std::string, RowReader>>& readers() {
  static const std::vector<std::pair<std::string, RowReader>> kReaders{{"a100_multi_node", gpt_row},
                                                                       {"a100_single_node", gpt_row},
                                                                       {"b200_single_node", node_row},
                                                                       {"h100_clusters", cluster_row}};
  return kReaders;
}

}  // namespace

std::vector<std::string> measured_set_names() {
  std::vector<std::string> names;
  for (const auto& reader : readers()) names.push_back(reader.first);
  return names;
}

std::vector<MeasuredSet> load_measured(const fs::path& folder) {
  std::vector<MeasuredSet> sets;
  std::error_code code;
  if (!fs::is_directory(folder, code)) fail("{}: is not a folder", folder.string());
  for (const auto& [name, read] : readers()) {
    const fs::path file = folder / (name + ".csv");
    if (!fs::is_regular_file(file, code)) continue;
    const auto settings = load_config<SetSettings>(recipes_folder() / "measured" / (name + ".json"));
    MeasuredSet set;
    set.name = name;
    set.source = settings.source;
    set.cluster = load_config<spec::Cluster>(find_recipe("clusters", settings.cluster));
    const Csv csv = read_csv(file);
    for (std::size_t r = 0; r < csv.rows.size(); ++r) {
      MeasuredRow row = read(csv, r, settings);
      row.line = csv.lines[r];
      if (row.step_s <= 0) fail("{}: line {}: the time must be greater than 0", csv.where, row.line);
      if (row.reason.empty()) try {
          row.layout = spec::complete(row.layout, row.layout.devices);
          spec::check(row.layout, row.model);
        } catch (const Error& error) {
          row.reason = error.what();
        }
      set.rows.push_back(std::move(row));
    }
    sets.push_back(std::move(set));
  }
  if (sets.empty()) fail("{}: holds none of {}", folder.string(), text::join(measured_set_names(), ".csv, ") + ".csv");
  return sets;
}

SetResult validate(const MeasuredSet& set) {
  SetResult result{set.name, set.source, set.cluster.name, {}, 0, 0, 0, std::nullopt};
  double memory_sum = 0;
  std::size_t computed = 0, with_memory = 0;
  for (const MeasuredRow& row : set.rows) {
    RowResult out;
    out.row = row;
    if (row.reason.empty()) {
      const Estimate estimate = Estimator(row.model, set.cluster).estimate(row.layout, Detail::timeline);
      out.computed_s = estimate.step_s;
      out.error = estimate.step_s / row.step_s - 1;
      ++computed;
      result.mean_absolute_error += std::abs(out.error);
      result.worst_absolute_error = std::max(result.worst_absolute_error, std::abs(out.error));
      if (row.memory_gib) {
        double allocated = 0;
        for (const StageMemory& memory : estimate.memory) allocated = std::max(allocated, memory.allocated());
        out.computed_gib = allocated / kGib;
        out.memory_error = *out.computed_gib / *row.memory_gib - 1;
        memory_sum += std::abs(*out.memory_error);
        ++with_memory;
      }
    } else {
      ++result.skipped;
    }
    result.rows.push_back(std::move(out));
  }
  if (computed > 0) result.mean_absolute_error /= static_cast<double>(computed);
  if (with_memory > 0) result.memory_mean_absolute_error = memory_sum / static_cast<double>(with_memory);
  return result;
}

}  // namespace filigree::plan
