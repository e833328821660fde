#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "plan/collective.h"
#include "plan/rates.h"
#include "plan/timeline.h"
#include "spec/layout.h"
#include "spec/model.h"

/// Cost of one layer on one device: operators, collectives and memory, for one micro-batch.
namespace filigree::plan {

/// Where time goes; `explain` and the reports name these.
enum class Module : std::uint8_t {
  projections,  ///< attention's matrix products
  attention,    ///< scores and weighted values
  mamba,
  dense,  ///< dense feed-forward
  router,
  permute,       ///< tokens into expert order and back
  experts,       ///< grouped products of routed experts
  shared,        ///< shared experts
  elementwise,   ///< norms, rotary embedding, activations, residuals
  head,          ///< embedding, output head and loss
  tensor_comm,   ///< exposed tensor-parallel collectives
  context_comm,  ///< exposed context-parallel exchange
  expert_comm,   ///< expert dispatch and combine, before anything hides it
  recompute,     ///< forward work done again
  swap,          ///< exposed transfers to host memory
  launch         ///< waiting for the host to launch kernels
};
inline constexpr std::size_t kModules = 16;
std::string_view module_name(Module module);

using ModuleSeconds = std::array<double, kModules>;

/// The two halves of a layer that the overlap of micro-batches pairs.
struct HalfTime {
  double forward = 0;
  double input = 0;   ///< backward towards the input, recomputation included
  double weight = 0;  ///< backward towards the weights
};

struct LayerCost {
  HalfTime attention;
  HalfTime mlp;
  double exchange_forward = 0;  ///< dispatch; combine costs the same
  double exchange_backward = 0;
  double shared_forward = 0;  ///< shared expert's part of mlp, behind which the exchange can hide
  double shared_backward = 0;
  double expert_weight = 0;  ///< weight-gradient part of routed experts: hides the backward dispatch
  ModuleSeconds forward{};
  ModuleSeconds backward{};
  double activation_bytes = 0;  ///< kept from forward to backward
  double swapped_bytes = 0;     ///< of these, in host memory
  double workspace_bytes = 0;   ///< alive only while the layer runs
  double dense_parameters = 0;  ///< on this device
  double expert_parameters = 0;
};

/// Everything a layer's cost depends on.
struct LayerContext {
  const spec::Model& model;
  const spec::Layout& layout;
  const Rates& rates;
  const Network& network;
  double imbalance = 1;  ///< load of the fullest expert rank over the mean
  double memory_imbalance = 1;
  double host_bytes_per_s = 0;
};

/// One transformer layer.
LayerCost layer_cost(const LayerContext& context, spec::LayerKind kind);

/// Token (and position) embedding on the first stage.
LayerCost embedding_cost(const LayerContext& context);

/// Final norm, output projection and loss on the last stage.
LayerCost head_cost(const LayerContext& context);

/// One multi-token-prediction module: two norms, the 2h → h projection, a layer of `kind`, and the head again.
LayerCost mtp_cost(const LayerContext& context, spec::LayerKind kind);

/// Sum of layers that run one after another on one stage.
LayerCost& operator+=(LayerCost& sum, const LayerCost& other);
LayerCost scaled(const LayerCost& cost, double count);

/// Ranks that share one layer's experts, and their distance.
RankGroup expert_group(const spec::Layout& layout);

/// Tokens of one micro-batch on one device: before sequence parallelism splits them.
double device_tokens(const spec::Layout& layout);

}  // namespace filigree::plan
