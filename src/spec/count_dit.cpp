#include <map>

#include "base/error.h"
#include "spec/count.h"

namespace filigree::spec {
namespace {

constexpr std::int64_t kTimeFeatures = 256;  // sinusoid that the time embedding starts from

/// Collects tensors under a prefix.
class Collector {
 public:
  void weight(const std::string& name, std::int64_t out, std::int64_t in) {
    tensors.push_back({name + ".weight", {out, in}});
  }
  void linear(const std::string& name, std::int64_t out, std::int64_t in) {
    weight(name, out, in);
    tensors.push_back({name + ".bias", {out}});
  }
  void norm(const std::string& name, std::int64_t size) { tensors.push_back({name + ".weight", {size}}); }
  void swiglu(const std::string& name, std::int64_t hidden, std::int64_t nominal) {
    const std::int64_t width = dit_feed_forward_width(nominal);
    weight(name + ".w1", width, hidden);
    weight(name + ".w2", hidden, width);
    weight(name + ".w3", width, hidden);
  }

  std::vector<TensorInfo> tensors;
};

void add_block(Collector& to, const Dit& dit, const std::string& prefix, bool dual) {
  const std::int64_t hidden = dit.hidden();
  to.linear(prefix + "adaLN_modulation.1", (dual ? 12 : 6) * hidden, hidden);
  std::vector<std::string> streams{""};
  if (dual) streams.emplace_back("_t");
  for (const std::string& stream : streams) {
    for (const char* name : {"to_q", "to_k", "to_v", "to_out"})
      to.linear(prefix + "attn1." + name + stream, hidden, hidden);
    for (const char* name : {"q_rms_norm", "k_rms_norm"}) to.norm(prefix + "attn1." + name + stream, hidden);
  }
  to.swiglu(prefix + "ff_i.shared_experts", hidden, 2 * hidden);
  for (std::int64_t e = 0; e < dit.num_routed_experts; ++e) {
    to.swiglu(fmt::format("{}ff_i.experts.{}", prefix, e), hidden, 4 * hidden);
  }
  to.weight(prefix + "ff_i.gate", dit.num_routed_experts, hidden);
  if (dual) to.swiglu(prefix + "ff_t", hidden, 4 * hidden);
}

/// Module to which a tensor belongs, for people.
std::string module_of(const std::string& name) {
  const auto has = [&name](std::string_view part) { return name.find(part) != std::string::npos; };
  if (has(".experts.")) return "routed experts";
  if (has("shared_experts")) return "shared experts";
  if (has("ff_i.gate")) return "router";
  if (has("ff_t")) return "text feed-forward";
  if (has("attn1")) return "attention";
  if (has("adaLN_modulation")) return "modulation";
  if (has("caption_projection")) return "caption projections";
  return has("final_layer") ? "final layer" : "embedders";
}

}  // namespace

std::int64_t TensorInfo::size() const {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) product *= extent;
  return product;
}

std::int64_t dit_feed_forward_width(std::int64_t nominal) { return (2 * nominal / 3 + 255) / 256 * 256; }

std::vector<TensorInfo> dit_tensors(const Dit& dit) {
  const std::int64_t hidden = dit.hidden();
  const std::int64_t patch = dit.patch_size * dit.patch_size;
  Collector to;
  to.linear("t_embedder.timestep_embedder.linear_1", hidden, kTimeFeatures);
  to.linear("t_embedder.timestep_embedder.linear_2", hidden, hidden);
  to.linear("p_embedder.pooled_embedder.linear_1", hidden, dit.text_emb_dim);
  to.linear("p_embedder.pooled_embedder.linear_2", hidden, hidden);
  to.linear("x_embedder.proj", hidden, patch * dit.in_channels);
  const std::int64_t blocks = dit.num_layers + dit.num_single_layers;
  for (std::int64_t i = 0; i < dit.num_layers; ++i) {
    add_block(to, dit, fmt::format("double_stream_blocks.{}.block.", i), true);
  }
  for (std::int64_t i = 0; i < dit.num_single_layers; ++i) {
    add_block(to, dit, fmt::format("single_stream_blocks.{}.block.", i), false);
  }
  to.linear("final_layer.linear", patch * dit.out_channels, hidden);
  to.linear("final_layer.adaLN_modulation.1", 2 * hidden, hidden);
  // One a block from its Llama layer, and a last one from T5.
  for (std::int64_t i = 0; i <= blocks; ++i) {
    to.weight(fmt::format("caption_projection.{}.linear", i), hidden, dit.caption_channels[i < blocks ? 1 : 0]);
  }
  return std::move(to.tensors);
}

Count count(const Dit& dit) {
  Count count;
  std::map<std::string, std::size_t> places;
  for (const TensorInfo& tensor : dit_tensors(dit)) {
    const std::string module = module_of(tensor.name);
    const auto [place, is_new] = places.emplace(module, count.modules.size());
    if (is_new) count.modules.push_back({module, 0, 0});
    count.modules[place->second].total += tensor.size();
  }
  for (ModuleCount& module : count.modules) {
    module.active = module.total;
    if (module.name == "routed experts")
      module.active = module.total / dit.num_routed_experts * dit.num_activated_experts;
    count.total += module.total;
    count.active += module.active;
    if (module.name == "embedders") count.embedding = module.total;
    if (module.name == "final layer") count.head = module.total;
  }
  return count;
}

}  // namespace filigree::spec
