#pragma once

#include <vector>

#include "plan/estimate.h"
#include "plan/stages.h"
#include "spec/cluster.h"
#include "spec/dit.h"
#include "spec/layout.h"

/// One training step of HiDream-I1's diffusion transformer (arXiv 2505.22705; HiDream-ai/HiDream-I1:
/// hi_diffusers/models/transformers/transformer_hidream_image.py) on a cluster.
///
/// A layout's `seq` are the image tokens of one sample (4096: 1024 × 1024 pixels), `mbs` and `gbs` count samples. Beside
/// the image every block sees three texts of kDitTextTokens: T5 and the last Llama layer, which run through the network,
/// and the block's own Llama layer. Text encoders and autoencoder are frozen: what they give is taken as stored, their
/// time and memory are not in the estimate.
namespace filigree::plan {

inline constexpr double kDitTextTokens = 128;  ///< of one text

/// The transformer as a language model of the same sizes: what decides which layouts can exist (spec/check.h), and the
/// feed-forward parts, which both have alike.
spec::Model dit_as_model(const spec::Dit& dit);

/// Error where the layout cannot exist for the transformer.
void check_dit(const spec::Layout& layout, const spec::Dit& dit);

/// `context.model` must be dit_as_model(dit).
struct DitContext {
  const LayerContext& layer;
  const spec::Dit& dit;
};

/// One dual-stream block (image and text with weights of their own) or single-stream block (one sequence), with the
/// caption projection of its Llama layer, for one micro-batch.
LayerCost dit_block_cost(const DitContext& context, bool dual);

/// Embedding of patches, time and pooled text, and the projection of the T5 text, on the first stage.
LayerCost dit_embedding_cost(const DitContext& context);

/// Last norm, projection to patches and the loss, on the last stage.
LayerCost dit_final_cost(const DitContext& context);

/// Costs of every stage for a complete layout. The parameters of all stages add up to spec::count(dit) at tp = ep = 1:
/// the projection of the last Llama layer counts where the last block stands, the copy that a first stage of its own
/// holds does not.
std::vector<StageCost> dit_stage_costs(const DitContext& context);

/// `layout` must be complete and pass check_dit. Tokens in the result are image tokens; MFU is by
/// spec::model_flops_per_sample. The router is taken as balanced.
Estimate estimate_dit(const spec::Dit& dit, const spec::Cluster& cluster, const spec::Layout& layout, Detail detail);

}  // namespace filigree::plan
