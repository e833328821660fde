#pragma once

#include <string>

#include "base/json.h"
#include "plan/estimate.h"
#include "plan/layer.h"
#include "plan/stages.h"
#include "spec/check.h"
#include "spec/hf_config.h"
#include "spec/layout_text.h"
#include "spec/resolve.h"
#include "support/paths.h"

/// Shipped models and machines, and their costs in a layout written as text.
namespace filigree::plan::test {

inline spec::Model model(const std::string& name) {
  const std::string path = filigree::test::source_dir() + "/recipes/models/" + name + ".json";
  return spec::model_from_json(load_json(path), path);
}

inline spec::Cluster cluster(const std::string& name) {
  return load_config<spec::Cluster>(filigree::test::source_dir() + "/recipes/clusters/" + name + ".json");
}

/// A GPT-shaped model as arXiv 2205.05198 counts its activations.
inline spec::Model gpt(std::int64_t hidden, std::int64_t heads, std::int64_t layers) {
  spec::Model m;
  m.name = "gpt";
  m.layers = layers;
  m.hidden = hidden;
  m.vocabulary = 51200;
  m.attention.heads = m.attention.kv_heads = heads;
  m.attention.head_dim = m.attention.v_head_dim = hidden / heads;
  m.attention.qkv_bias = m.attention.output_bias = true;
  m.feed_forward = spec::FeedForwardKind::gelu;
  m.dense_width = 4 * hidden;
  m.max_positions = 4096;
  m.learned_positions = m.tied_embeddings = m.layer_norm = m.feed_forward_bias = true;
  return m;
}

/// Complete and checked.
inline spec::Layout layout_of(const std::string& text, const spec::Model& model) {
  spec::Layout layout = spec::complete(spec::parse_layout(text));
  spec::check(layout, model);
  return layout;
}

/// All that a LayerContext refers to.
struct Costs {
  spec::Model model;
  spec::Cluster cluster;
  spec::Layout layout;
  Rates rates;
  Network network;
  LayerContext context;

  Costs(const std::string& text, spec::Model of, const std::string& machine = "a100-4nic")
      : model(std::move(of)),
        cluster(test::cluster(machine)),
        layout(layout_of(text, model)),
        rates(resolve_rates(cluster.accelerator, layout)),
        network(resolve_network(cluster)),
        context{model, layout, rates, network, 1, 1, cluster.host_gb_s * 1e9} {}
  Costs(const Costs&) = delete;
  Costs& operator=(const Costs&) = delete;

  LayerCost layer(spec::LayerKind kind = {}) const { return layer_cost(context, kind); }
  std::vector<StageCost> stages() const {
    const LayerRuns runs = layer_runs(model);
    return stage_costs(context, runs, unit_costs(context, runs));
  }
};

inline constexpr spec::LayerKind kDense{spec::Mixer::attention, spec::FeedForward::dense};
inline constexpr spec::LayerKind kExperts{spec::Mixer::attention, spec::FeedForward::experts};

inline double seconds(const HalfTime& half) { return half.forward + half.input + half.weight; }
inline double seconds(const LayerCost& cost) { return seconds(cost.attention) + seconds(cost.mlp); }
inline double module_seconds(const LayerCost& cost, Module module) {
  return cost.forward[static_cast<std::size_t>(module)] + cost.backward[static_cast<std::size_t>(module)];
}

}  // namespace filigree::plan::test
