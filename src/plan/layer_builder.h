#pragma once

#include <algorithm>
#include <initializer_list>

#include "plan/layer.h"

/// Collects the operators of one layer into a LayerCost. Private to the plan folder.
namespace filigree::plan {

enum class Half : std::uint8_t { attention, mlp };

/// Where a stretch that is split over tensor ranks begins and ends. With sequence parallelism `enter` gathers forward and
/// reduce-scatters backward, `leave` the reverse; without it `enter` all-reduces backward and `leave` forward
/// (arXiv 2205.05198 §4.2).
enum class Edge : std::uint8_t { enter, leave };

class LayerBuilder {
 public:
  /// `in_layer`: false for the embedding and the head, which recomputation of whole layers leaves alone.
  explicit LayerBuilder(const LayerContext& context, bool in_layer = true);

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
  /// The tensor-parallel collectives at one edge, of `bytes` gathered. `hidden_by`: seconds of the matrix product that
  /// they feed or follow.
  void tensor_collective(Edge edge, double bytes, double hidden_by = 0);
  void context_exchange(double forward_bytes, double backward_bytes, double attention_forward,
                        double attention_backward);
  /// Heads for tokens: each tensor (bytes on this rank) is exchanged once forward and once backward.
  void context_all_to_all(std::initializer_list<double> tensors);
  /// The expert exchange is run again in the backward pass.
  void recompute_exchange(double seconds) { recompute_mlp_ += seconds; }

  /// Activations kept for the backward pass unless their part is recomputed or swapped.
  void keep(spec::Part part, double bytes);
  /// Kept unless the whole layer is recomputed.
  void keep_always(double bytes) { (whole_layer_ ? dropped_bytes_ : cost_.activation_bytes) += bytes; }

  LayerCost& cost() { return cost_; }
  LayerCost finish();

  double element_bytes() const { return element_bytes_; }

 private:
  void wait_for_launches();
  void add(Module module, double forward, double input, double weight);

  const LayerContext& context_;
  LayerCost cost_;
  Half half_ = Half::attention;
  bool whole_layer_ = false;
  bool recomputed_ = false;
  double element_bytes_ = 2;
  double recompute_attention_ = 0, recompute_mlp_ = 0, recompute_host_ = 0;
  double host_forward_ = 0, host_backward_ = 0;  // launch time
  double placeholders_ = 0;                      // bytes
  double dropped_bytes_ = 0;                     // recomputed parts are alive again while their layer runs backward
};

}  // namespace filigree::plan
