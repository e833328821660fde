#pragma once

#include <algorithm>
#include <initializer_list>

#include "plan/layer.h"

/// Collects the operators of one layer into a LayerCost. Private to the plan folder.
namespace filigree::plan {

enum class Half : std::uint8_t { attention, mlp };

class LayerBuilder {
 public:
  explicit LayerBuilder(const LayerContext& context);

  /// Which half the next operators belong to, and which part they are recomputed with.
  void half(Half which) { half_ = which; }
  void part(spec::Part part) { recomputed_ = whole_layer_ || context_.layout.recomputes(part); }
  void no_part() { recomputed_ = whole_layer_; }

  /// y[m, n] = x[m, k] · W with its two gradients; returns the forward seconds.
  double matrix(Module module, double m, double n, double k, double groups = 1);
  /// Batched product of two activations (no weight): two gradients of the same size.
  void product(Module module, double m, double n, double k, double groups);
  void attention(const AttentionShape& shape);
  /// Elementwise kernels with the bytes they move.
  void element(double forward_bytes, double backward_bytes, double forward_kernels = 1, double backward_kernels = 1,
               Module module = Module::elementwise);
  /// A tensor-parallel collective of the forward pass and its mirror in the backward pass. `hidden_by`: seconds of
  /// the matrix product that it feeds or follows.
  void tensor_collective(double bytes, double hidden_by);
  void context_exchange(double forward_bytes, double backward_bytes, double attention_forward,
                        double attention_backward);
  /// Heads for tokens: each tensor (bytes on this rank) is exchanged once forward and once backward.
  void context_all_to_all(std::initializer_list<double> tensors);
  /// The expert exchange is run again in the backward pass.
  void recompute_exchange(double seconds) { recompute_mlp_ += seconds; }

  /// Activations kept for the backward pass unless their part is recomputed or swapped.
  void keep(spec::Part part, double bytes);
  void keep_always(double bytes) { cost_.activation_bytes += bytes; }
  void workspace(double bytes) { workspace_ = std::max(workspace_, bytes); }

  LayerCost& cost() { return cost_; }
  LayerCost finish();

  double element_bytes() const { return element_bytes_; }

 private:
  void add(Module module, double forward, double input, double weight);

  const LayerContext& context_;
  LayerCost cost_;
  Half half_ = Half::attention;
  bool whole_layer_ = false;
  bool recomputed_ = false;
  double element_bytes_ = 2;
  double recompute_attention_ = 0, recompute_mlp_ = 0, recompute_host_ = 0;
  double workspace_ = 0;
  double dropped_bytes_ = 0;  // recomputed parts are alive again while their layer runs backward
};

}  // namespace filigree::plan
