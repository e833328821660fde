#include "spec/model_check.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "spec/count.h"

namespace filigree::spec {
namespace {

constexpr std::int64_t kMaxSize = std::int64_t{1} << 24;  // of a width, a vocabulary or a count
constexpr std::int64_t kMaxLayers = std::int64_t{1} << 16;
constexpr std::int64_t kMaxDitExperts = 100000;
constexpr double kMaxParameters = 1e17;

struct Size {
  std::string_view name;
  std::int64_t value;
};

void check_sizes(const std::vector<Size>& sizes, const std::string& where) {
  for (const Size& size : sizes) {
    if (size.value > kMaxSize) fail("{}: {} must be at most {}, got {}", where, size.name, kMaxSize, size.value);
  }
}

void check_layers(std::int64_t layers, std::string_view name, const std::string& where) {
  if (layers > kMaxLayers) fail("{}: {} must be at most {}, got {}", where, name, kMaxLayers, layers);
}

void check_attention(const Attention& a, const std::string& where) {
  check_sizes({{"heads", a.heads},
               {"head_dim", a.head_dim},
               {"v_head_dim", a.v_head_dim},
               {"q_lora_rank", a.q_lora_rank},
               {"kv_lora_rank", a.kv_lora_rank}},
              where);
  if (a.kv_heads > a.heads || a.heads % a.kv_heads != 0) {
    fail("{}: {} query heads do not divide over {} key/value heads", where, a.heads, a.kv_heads);
  }
  if (a.latent() && (a.rope_head_dim < 1 || a.rope_head_dim >= a.head_dim)) {
    fail("{}: latent attention needs rope_head_dim between 1 and head_dim - 1 = {}, got {}", where, a.head_dim - 1,
         a.rope_head_dim);
  }
  if (a.latent() && a.kv_heads != a.heads) {
    fail("{}: latent attention has as many key/value heads as query heads, got {} and {}", where, a.kv_heads, a.heads);
  }
  if (!a.latent() && (a.q_lora_rank > 0 || a.rope_head_dim > 0)) {
    fail("{}: q_lora_rank and rope_head_dim belong to latent attention, but kv_lora_rank is 0", where);
  }
  if (a.window_period > 0 && a.window == 0)
    fail("{}: window_period is {}, but there is no window", where, a.window_period);
}

void check_experts(const Experts& e, const std::string& where) {
  check_sizes({{"routed experts", e.routed}, {"expert width", e.width}, {"shared experts' width", e.shared_width}},
              where);
  if (e.top_k > e.routed) fail("{}: a token cannot use {} of {} experts", where, e.top_k, e.routed);
  if (e.shared_gate && e.shared_width == 0) fail("{}: shared_gate is set, but there is no shared expert", where);
}

void check_mamba(const Mamba& m, const std::string& where) {
  check_sizes({{"Mamba-2 heads", m.heads},
               {"Mamba-2 head_dim", m.head_dim},
               {"Mamba-2 state", m.state},
               {"Mamba-2 convolution", m.convolution}},
              where);
  if (m.groups > m.heads || m.heads % m.groups != 0) {
    fail("{}: {} Mamba-2 heads do not divide into {} groups", where, m.heads, m.groups);
  }
}

/// What the layers use must be there.
void check_kinds(const Model& model, const std::string& where) {
  if (!model.layer_pattern.empty() && static_cast<std::int64_t>(model.layer_pattern.size()) != model.layers) {
    fail("{}: layer_pattern has {} letters for {} layers", where, model.layer_pattern.size(), model.layers);
  }
  if (const auto at = model.layer_pattern.find_first_not_of("ME*-"); at != std::string::npos) {
    fail("{}: layer_pattern has '{}'; it takes M (Mamba-2), E (experts), * (attention) and - (dense)", where,
         model.layer_pattern[at]);
  }
  for (const LayerKind kind : layer_kinds(model)) {
    if (kind.mixer == Mixer::mamba && !model.mamba)
      fail("{}: layer_pattern has Mamba-2 layers, but 'mamba' is missing", where);
    if (kind.feed_forward == FeedForward::experts && !model.experts) {
      fail("{}: layer_pattern has expert layers, but 'experts' is missing", where);
    }
    if (kind.feed_forward == FeedForward::dense && model.dense_width == 0) {
      fail("{}: there are dense layers, but dense_width is 0", where);
    }
  }
}

/// An upper bound in floating point: the exact count must not overflow.
double parameters_bound(const Model& model) {
  const auto real = [](std::int64_t value) { return static_cast<double>(value); };
  const Attention& a = model.attention;
  const double heads = real(a.heads), hidden = real(model.hidden);
  double layer = 4 * heads * real(a.head_dim + a.v_head_dim) * (hidden + real(a.q_lora_rank + a.kv_lora_rank)) +
                 3 * hidden * (real(model.dense_width) + real(a.q_lora_rank + a.kv_lora_rank + a.head_dim)) +
                 8 * hidden;
  if (model.experts) {
    layer += 4 * hidden *
             (real(model.experts->routed) * (real(model.experts->width) + 1) + real(model.experts->shared_width));
  }
  if (model.mamba) {
    const Mamba& m = *model.mamba;
    const double inner = real(m.heads) * real(m.head_dim) + 2 * real(m.groups) * real(m.state);
    layer += inner * (4 * hidden + real(m.convolution) + 4);
  }
  return real(model.layers + model.mtp_layers) * (layer + 2 * hidden * hidden) +
         hidden * (2 * real(model.vocabulary) + real(model.max_positions));
}

}  // namespace

void check_model(const Model& model, const std::string& where) {
  check_layers(model.layers, "layers", where);
  check_layers(model.mtp_layers, "mtp_layers", where);
  check_sizes({{"hidden", model.hidden},
               {"vocabulary", model.vocabulary},
               {"dense_width", model.dense_width},
               {"expert_period", model.expert_period}},
              where);
  if (model.max_positions > kMaxSize * 64)
    fail("{}: max_positions must be at most {}, got {}", where, kMaxSize * 64, model.max_positions);
  check_attention(model.attention, where);
  if (model.dense_prefix > model.layers) {
    fail("{}: dense_prefix is {}, but there are {} layers", where, model.dense_prefix, model.layers);
  }
  if (model.learned_positions && model.max_positions == 0) fail("{}: learned_positions needs max_positions", where);
  if (model.experts) check_experts(*model.experts, where);
  if (model.mamba) check_mamba(*model.mamba, where);
  check_kinds(model, where);
  const double bound = parameters_bound(model);
  if (bound > kMaxParameters)
    fail("{}: the sizes give about {:.1e} parameters; at most {:.0e} are planned for", where, bound, kMaxParameters);
}

void check_model(const Dit& dit, const std::string& where) {
  check_layers(dit.num_layers, "num_layers", where);
  check_layers(dit.num_single_layers, "num_single_layers", where);
  check_sizes({{"patch_size", dit.patch_size},
               {"in_channels", dit.in_channels},
               {"out_channels", dit.out_channels},
               {"attention_head_dim", dit.attention_head_dim},
               {"num_attention_heads", dit.num_attention_heads},
               {"text_emb_dim", dit.text_emb_dim},
               {"num_routed_experts", dit.num_routed_experts}},
              where);
  const std::int64_t blocks = dit.num_layers + dit.num_single_layers;
  if (blocks * dit.num_routed_experts > kMaxDitExperts) {
    fail("{}: {} blocks of {} experts are more than the {} experts that are planned for", where, blocks,
         dit.num_routed_experts, kMaxDitExperts);
  }
  if (blocks == 0) fail("{}: num_layers and num_single_layers are both 0", where);
  if (dit.num_activated_experts > dit.num_routed_experts) {
    fail("{}: a token cannot use {} of {} experts", where, dit.num_activated_experts, dit.num_routed_experts);
  }
  if (dit.caption_channels.size() != 2) {
    fail("{}: caption_channels must have 2 numbers (T5, Llama), got {}", where, dit.caption_channels.size());
  }
  check_sizes({{"caption_channels", std::max(dit.caption_channels[0], dit.caption_channels[1])}}, where);
  if (dit.max_resolution.size() != 2) {
    fail("{}: max_resolution must have 2 numbers (height, width), got {}", where, dit.max_resolution.size());
  }
  check_sizes({{"max_resolution", std::max(dit.max_resolution[0], dit.max_resolution[1])}}, where);
  const std::int64_t rotary = std::accumulate(dit.axes_dims_rope.begin(), dit.axes_dims_rope.end(), std::int64_t{0});
  if (!dit.axes_dims_rope.empty() && rotary != dit.attention_head_dim) {
    fail("{}: axes_dims_rope adds up to {}, but attention_head_dim is {}", where, rotary, dit.attention_head_dim);
  }
  if (!dit.llama_layers.empty() && static_cast<std::int64_t>(dit.llama_layers.size()) != blocks) {
    fail("{}: llama_layers has {} entries for {} blocks", where, dit.llama_layers.size(), blocks);
  }
  const double hidden = static_cast<double>(dit.attention_head_dim) * static_cast<double>(dit.num_attention_heads);
  const double bound =
      static_cast<double>(blocks) * 24 * hidden * hidden * static_cast<double>(dit.num_routed_experts + 2);
  if (bound > kMaxParameters)
    fail("{}: the sizes give about {:.1e} parameters; at most {:.0e} are planned for", where, bound, kMaxParameters);
}

}  // namespace filigree::spec
