#include "plan/layer_builder.h"

#include <algorithm>

namespace filigree::plan {

using spec::Overlap;
using spec::Part;

LayerBuilder::LayerBuilder(const LayerContext& context, bool in_layer) : context_(context) {
  whole_layer_ = in_layer && context.layout.recomputes(Part::layer);
  recomputed_ = whole_layer_;
  element_bytes_ = spec::dtype_bytes(context.layout.activation_dtype);
}

void LayerBuilder::add(Module module, double forward, double input, double weight) {
  HalfTime& half = half_ == Half::attention ? cost_.attention : cost_.mlp;
  half.forward += forward;
  half.input += input;
  half.weight += weight;
  cost_.forward[static_cast<std::size_t>(module)] += forward;
  cost_.backward[static_cast<std::size_t>(module)] += input + weight;
  if (recomputed_) (half_ == Half::attention ? recompute_attention_ : recompute_mlp_) += forward;
}

double LayerBuilder::matrix(Module module, double m, double n, double k, double groups) {
  const Rates& rates = context_.rates;
  const double element = element_bytes_;
  const double forward = matrix_seconds(rates, {m, n, k, groups, false, element});
  const double input = matrix_seconds(rates, {m, k, n, groups, false, element});
  // Accumulated: the sum is read and written.
  const double accumulator = 2 * spec::dtype_bytes(context_.layout.gradient_dtype);
  const double weight = matrix_seconds(rates, {n, k, m, groups, true, accumulator});
  // Casting operands to narrow formats is a pass of its own over them.
  const bool narrow = rates.operand_bytes < element_bytes_;
  const double cast = narrow ? elementwise_seconds(rates, groups * m * k * (element + 2 * rates.operand_bytes), 1) : 0;
  const double cast_back =
      narrow ? elementwise_seconds(rates, groups * m * n * (element + 2 * rates.operand_bytes), 1) : 0;
  add(module, forward + cast, input + cast_back, weight);
  // Fused accumulation leaves autograd a placeholder gradient, one for each shape (NVIDIA/TransformerEngine:
  // transformer_engine/pytorch/module/base.py get_dummy_wgrad).
  if (context_.layout.fused && module != Module::head) placeholders_ += n * k * element;
  const double kernels = narrow ? 2 : 1;
  host_forward_ += kernels * rates.host;
  host_backward_ += (1 + kernels) * rates.host;
  if (recomputed_) recompute_host_ += kernels * rates.host;
  return forward;
}

void LayerBuilder::product(Module module, double m, double n, double k, double groups) {
  const Rates& rates = context_.rates;
  const double forward = matrix_seconds(rates, {m, n, k, groups, false, element_bytes_});
  const double left = matrix_seconds(rates, {m, k, n, groups, false, element_bytes_});
  const double right = matrix_seconds(rates, {k, n, m, groups, false, element_bytes_});
  add(module, forward, left + right, 0);
  host_forward_ += rates.host;
  host_backward_ += 2 * rates.host;
  if (recomputed_) recompute_host_ += rates.host;
}

void LayerBuilder::attention(const AttentionShape& shape) {
  add(Module::attention, attention_forward_seconds(context_.rates, shape),
      attention_backward_seconds(context_.rates, shape), 0);
  host_forward_ += context_.rates.host;
  host_backward_ += 2 * context_.rates.host;
  if (recomputed_) recompute_host_ += context_.rates.host;
}

void LayerBuilder::element(double forward_bytes, double backward_bytes, double forward_kernels, double backward_kernels,
                           Module module) {
  if (!context_.layout.fused) {
    // Unfused operators write and read every intermediate: measured stacks need about two and a half times the kernels.
    forward_bytes *= 2, backward_bytes *= 2;
    forward_kernels *= 2.5, backward_kernels *= 2.5;
  }
  const Rates& rates = context_.rates;
  add(module, elementwise_seconds(rates, forward_bytes, forward_kernels),
      elementwise_seconds(rates, backward_bytes, backward_kernels), 0);
  host_forward_ += forward_kernels * rates.host;
  host_backward_ += backward_kernels * rates.host;
  if (recomputed_) recompute_host_ += forward_kernels * rates.host;
}

void LayerBuilder::tensor_collective(Edge edge, double bytes, double hidden_by) {
  const spec::Layout& layout = context_.layout;
  if (layout.tp <= 1) return;
  const RankGroup group{layout.tp, 1};
  // Sequence parallelism splits an all-reduce into reduce-scatter and all-gather, one on each side of the norms.
  const Collective kind = layout.sp ? Collective::all_gather : Collective::all_reduce;
  const double seconds = collective_seconds(context_.network, kind, bytes, group);
  double exposed = seconds;
  if (layout.overlaps(Overlap::tensor)) {
    // The product is cut into tp pieces; the first piece's transfer cannot hide.
    const double first = seconds / static_cast<double>(layout.tp);
    exposed = first + std::max(0.0, seconds - first - hidden_by);
  }
  const bool forward = layout.sp || edge == Edge::leave, backward = layout.sp || edge == Edge::enter;
  add(Module::tensor_comm, forward ? exposed : 0, backward ? exposed : 0, 0);
  const double launch = 3 * context_.rates.host;
  host_forward_ += forward ? launch : 0;
  host_backward_ += backward ? launch : 0;
  if (recomputed_ && forward) recompute_host_ += launch;
}

void LayerBuilder::context_exchange(double forward_bytes, double backward_bytes, double attention_forward,
                                    double attention_backward) {
  const spec::Layout& layout = context_.layout;
  if (layout.cp <= 1) return;
  const RankGroup group{layout.cp, layout.tp};
  const double forward = collective_seconds(context_.network, Collective::all_gather, forward_bytes, group);
  const double backward = collective_seconds(context_.network, Collective::all_gather, backward_bytes, group);
  const double share = layout.overlaps(Overlap::context) ? 1.0 - 1.0 / static_cast<double>(layout.cp) : 0.0;
  add(Module::context_comm, std::max(0.0, forward - share * attention_forward),
      std::max(0.0, backward - share * attention_backward), 0);
}

void LayerBuilder::context_all_to_all(std::initializer_list<double> tensors) {
  const spec::Layout& layout = context_.layout;
  if (layout.cp <= 1) return;
  const RankGroup group{layout.cp, layout.tp};
  double seconds = 0, copied = 0;
  for (const double bytes : tensors) {
    seconds += collective_seconds(context_.network, Collective::all_to_all, bytes, group);
    copied += 4 * bytes;  // rearranged before and after
  }
  add(Module::context_comm, seconds, seconds, 0);
  const double kernels = 2 * static_cast<double>(tensors.size());
  element(copied, copied, kernels, kernels);
  host_forward_ += kernels * context_.rates.host;
  host_backward_ += kernels * context_.rates.host;
}

void LayerBuilder::keep(Part part, double bytes) {
  if (whole_layer_ || context_.layout.recomputes(part)) {
    dropped_bytes_ += bytes;
  } else if (context_.layout.swaps(part)) {
    cost_.swapped_bytes += bytes;
  } else {
    cost_.activation_bytes += bytes;
  }
}

void LayerBuilder::wait_for_launches() {
  // A layer is as slow as the slower of device and host. Over a longer stretch the host could run ahead, but training
  // loops synchronise too often for that: step times measured with tiny layers show the host's time layer by layer.
  const double forward = cost_.attention.forward + cost_.mlp.forward + 2 * cost_.exchange_forward;
  const double backward =
      cost_.attention.input + cost_.attention.weight + cost_.mlp.input + cost_.mlp.weight + 2 * cost_.exchange_backward;
  const double wait_forward = std::max(0.0, host_forward_ - forward);
  const double wait_backward = std::max(0.0, host_backward_ - backward);
  cost_.mlp.forward += wait_forward;
  cost_.mlp.input += wait_backward;
  cost_.forward[static_cast<std::size_t>(Module::launch)] += wait_forward;
  cost_.backward[static_cast<std::size_t>(Module::launch)] += wait_backward;
}

LayerCost LayerBuilder::finish() {
  cost_.attention.input += recompute_attention_;
  cost_.mlp.input += recompute_mlp_;
  host_backward_ += recompute_host_;
  cost_.backward[static_cast<std::size_t>(Module::recompute)] += recompute_attention_ + recompute_mlp_;
  cost_.workspace_bytes = placeholders_ + dropped_bytes_;
  wait_for_launches();
  if (cost_.swapped_bytes > 0 && context_.host_bytes_per_s > 0) {
    // Out during forward, back during backward, behind the layer's own computation.
    const double transfer = cost_.swapped_bytes / context_.host_bytes_per_s;
    const double forward = std::max(0.0, transfer - (cost_.attention.forward + cost_.mlp.forward));
    const double backward = std::max(0.0, transfer - (cost_.attention.input + cost_.mlp.input));
    cost_.mlp.forward += forward;
    cost_.mlp.input += backward;
    cost_.forward[static_cast<std::size_t>(Module::swap)] += forward;
    cost_.backward[static_cast<std::size_t>(Module::swap)] += backward;
    // What is on its way out or back is on the device too: one layer's worth.
    cost_.workspace_bytes += cost_.swapped_bytes;
  }
  return cost_;
}

}  // namespace filigree::plan
