#include "language/initialise.h"

#include <cmath>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

namespace filigree::language {
namespace {

/// Whether the matrix writes into the residual stream.
bool writes_residual(const std::string& name) {
  return name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight");
}

}  // namespace

void initialise(Model& model, const InitialiseOptions& options, std::uint64_t seed) {
  const c10::NoGradGuard no_grad;
  const spec::Model& m = model.config().model;
  const auto hidden = static_cast<double>(m.hidden), layers = static_cast<double>(m.layers);
  at::Generator generator = at::detail::createCPUGenerator(seed);
  const bool tiny = options.kind == InitialiseKind::tiny;
  const double base = tiny ? std::sqrt(1 / (2 * hidden * layers)) : std::sqrt(2 / (5 * hidden));
  for (const nn::Parameter& parameter : model.parameters()) {
    at::Tensor value = parameter.value();
    if (value.dim() < 2) {
      value.fill_(parameter.name.ends_with("norm.weight") ? 1 : 0);
      continue;
    }
    double deviation = base;
    if (!tiny && writes_residual(parameter.name)) deviation /= std::sqrt(layers);
    if (parameter.name == "model.embed_tokens.weight" && !m.tied_embeddings) deviation = options.embedding;
    value.copy_(at::randn(value.sizes(), generator, at::TensorOptions().dtype(at::kFloat)) * deviation);
  }
  if (!m.sandwich_norm || !options.depth_scaled) return;
  const auto scale = [&](Block& block) {
    block.after_attention.weight_D.fill_(options.attention_scale / std::sqrt(layers));
    block.after_feed_forward.weight_D.fill_(options.feed_forward_scale / std::sqrt(layers));
  };
  for (Block& block : model.blocks()) scale(block);
  for (Block* block : model.predictor_blocks()) scale(*block);
}

}  // namespace filigree::language
