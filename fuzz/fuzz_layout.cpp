#include "base/overrides.h"
#include "plan/estimate.h"
#include "spec/check.h"
#include "spec/resolve.h"
#include "support.h"

namespace {

using namespace filigree;

/// Small, but with everything that rules ask about. All sizes are made up.
spec::Model moe_model() {
  spec::Model m;
  m.name = "small";
  m.layers = 15;
  m.hidden = 512;
  m.vocabulary = 8192;
  m.attention.heads = m.attention.kv_heads = 16;
  m.attention.head_dim = 48;
  m.attention.v_head_dim = 32;
  m.attention.q_lora_rank = 128;
  m.attention.kv_lora_rank = 64;
  m.attention.rope_head_dim = 16;
  m.dense_width = 2048;
  m.dense_prefix = 1;
  m.experts.emplace();
  m.experts->routed = 64;
  m.experts->top_k = 4;
  m.experts->width = m.experts->shared_width = 256;
  m.mtp_layers = 1;
  m.sandwich_norm = true;
  return m;
}

spec::Cluster cluster() {
  constexpr const char* kText = R"({
    "name": "made up",
    "accelerator": {
      "name": "made up",
      "peak_tflops": {"bf16": 400, "fp16": 400, "fp8": 800},
      "memory_gib": 64, "memory_gb_s": 1600, "units": 24,
      "matrix": {"bf16": {"max": 0.7}, "fp16": {"max": 0.7}, "fp8": {"max": 0.6}},
      "attention": {"forward": 0.5, "backward": 0.4}
    },
    "tiers": [{"name": "node", "devices": 8, "topology": "full-mesh", "gb_s": 200, "latency_us": 5},
              {"name": "network", "devices": 0, "gb_s": 25, "latency_us": 10, "half_mib": 1}],
    "host_gb_s": 20
  })";
  return from_json<spec::Cluster>(parse_json(kText, "cluster"), "cluster");
}

/// Small enough to be estimated thousands of times a second.
bool small(const spec::Layout& layout) {
  return layout.devices <= 4096 && layout.pp * layout.vpp <= 64 && spec::micro_batches(layout) <= 4096;
}

void check_estimate(const plan::Estimate& e) {
  for (const double value : {e.step_s, e.pipeline_s, e.mfu, e.bubble_fraction, e.exposed_comm_fraction, e.peak_memory,
                             e.gradients_s, e.parameters_s, e.optimizer_s, e.tokens_per_s_per_device}) {
    fuzz::require(std::isfinite(value) && value >= -1e-9);
  }
  for (const double seconds : e.modules) fuzz::require(std::isfinite(seconds) && seconds >= 0);
  fuzz::require(e.step_s > 0 && e.bubble_fraction <= 1 && e.exposed_comm_fraction <= 1);
}

}  // namespace

/// Any text as a layout: it is refused or, if it is small, estimated.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const plan::Estimator estimator(moe_model(), cluster());
  fuzz::refuse_or_read([&] {
    spec::Layout layout;
    apply_overrides(layout, parse_pairs(fuzz::as_text(data, size), "layout"), "layout");
    spec::check(layout, estimator.model());
    layout = spec::complete(layout);
    if (small(layout)) check_estimate(estimator.estimate(layout, plan::Detail::closed_form));
  });
  return 0;
}
