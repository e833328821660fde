#include <ATen/ATen.h>

#include "language/model.h"

namespace filigree::language {
namespace {

std::vector<at::Tensor> run_part(const Pass& pass, Part part, std::size_t layer, const tensor::Function& function,
                                 const std::vector<at::Tensor>& inputs) {
  return pass.runner != nullptr ? (*pass.runner)(part, layer, function, inputs) : function(inputs);
}

}  // namespace

at::Tensor Block::attend(const at::Tensor& h_BTD, const Pass& pass, std::size_t layer) const {
  nn::AttentionContext context{pass.angles, pass.allowed_B1TS, nullptr, 0, pass.absorbed};
  if (pass.cache != nullptr) {
    context.cache = &pass.cache->layers[layer];
    context.start = pass.cache->start;
  }
  const at::Tensor a = (*attention)(before_attention(h_BTD), context);
  return after_attention.weight_D.defined() ? after_attention(a) : a;
}

/// The output and, of a layer with experts, scores, weights, experts and the number of dropped pairs.
std::vector<at::Tensor> Block::feed_forward(const at::Tensor& h_BTD, const Pass& pass) const {
  const at::Tensor x = before_feed_forward(h_BTD);
  const auto finish = [&](const at::Tensor& f) {
    return after_feed_forward.weight_D.defined() ? after_feed_forward(f) : f;
  };
  if (!experts) return {finish((*dense)(x))};
  const moe::Layer::Result result = (*experts)(x.flatten(0, 1));
  if (pass.expert_results != nullptr) pass.expert_results->push_back(result);
  const moe::Routing& routing = result.routing;
  return {finish(result.y_TD.view_as(x)), routing.score_TE, routing.weight_TK, routing.expert_TK,
          at::full({}, result.dropped, at::kLong)};
}

/// The hidden state after the layer, and what feed_forward() gives beside its output.
std::vector<at::Tensor> Block::run(const Tensors& given, const Pass& pass, std::size_t layer) const {
  // The functions may run again when the gradients are taken: they own what they need.
  const auto attention_part = [this, pass, layer](const Tensors& in) { return Tensors{attend(in[0], pass, layer)}; };
  const auto feed_part = [this, pass](const Tensors& in) { return feed_forward(in[0], pass); };
  const at::Tensor h = given[0] + run_part(pass, Part::attention, layer, attention_part, given)[0];
  Tensors out = run_part(pass, Part::feed_forward, layer, feed_part, {h});
  out[0] = h + out[0];
  return out;
}

at::Tensor Block::operator()(const at::Tensor& h_BTD, const Pass& pass, std::size_t layer) const {
  const auto whole = [this, pass, layer](const Tensors& in) { return run(in, pass, layer); };
  const Tensors out = run_part(pass, Part::layer, layer, whole, {h_BTD});
  if (out.size() > 1) {
    if (pass.routings != nullptr) pass.routings->push_back({out[1], out[2], out[3]});
    if (pass.dropped != nullptr) *pass.dropped += out[4].item<std::int64_t>();
  }
  return out[0];
}

}  // namespace filigree::language
