#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "base/visit.h"
#include "tensor/safetensors.h"

/// AdamW (Loshchilov, Hutter, arXiv 1711.05101, algorithm 2) over all parameters at once.
namespace filigree::train {

/// One tensor that is trained, and what a checkpoint calls it: one name, or one for each slice along its first axis
/// (experts are stored stacked and published one by one).
struct Trained {
  at::Tensor* tensor = nullptr;
  std::vector<std::string> names;
  bool decay = true;  ///< whether weight decay pulls at it; norms and biases are left alone
};

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.1;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("beta1", self.beta1, "decay of the mean gradient", fraction);
    v.optional("beta2", self.beta2, "decay of the mean squared gradient", fraction);
    v.optional("eps", self.eps, "added to the root of the mean squared gradient", positive);
    v.optional("weight_decay", self.weight_decay, "decoupled weight decay, times the learning rate", non_negative);
  }
};

/// With gradient g, step t = 1, 2, … and rate a:
///
///     m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g²
///     w = w (1 - a · decay) - a · (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
///
/// Parameters of one kind (type, device, decay or not) are moved into one buffer, of which they become views, and their
/// gradients into another: a step is one pass over each. Parameters of 16 bits have a master copy in float32, and their
/// gradients of several micro-batches are added up in float32.
class AdamW {
 public:
  /// Takes over the parameters: `*tensor` keeps its values, lives in a buffer from now on and requires gradients.
  AdamW(std::vector<Trained> parameters, const AdamWOptions& options);

  /// To be called after the backward pass of each micro-batch.
  void collect();

  /// The Euclidean norm of all gradients that were collected.
  double gradient_norm() const;

  /// One step with the collected gradients times `scale` (clipping), after which they are zero again.
  void step(double rate, double scale = 1);

  std::int64_t steps() const { return steps_; }

  /// The name of the first parameter that is not finite, or of the first whose gradient is not.
  std::optional<std::string> first_bad_value() const;
  std::optional<std::string> first_bad_gradient() const;

  /// master.<name> (where there is one), m.<name>, v.<name>, and "steps". Tensors share the optimizer's memory.
  tensor::NamedTensors state() const;

  /// What state() gave, from a file. Error where names or shapes differ; nothing is changed then.
  void load_state(const tensor::SafeTensors& file);

 private:
  struct Buffer {
    at::Tensor value = {}, gradient = {};  ///< flat, in the parameters' type
    at::Tensor master = {}, sum = {};      ///< float32; the same tensors where that is the parameters' type
    at::Tensor m = {}, v = {};
    bool decay = true;
  };
  struct Place {
    std::size_t buffer = 0;
    std::int64_t begin = 0, count = 0;
  };

  void move_into_buffers();
  Buffer& buffer_for(const Trained& parameter, std::vector<std::int64_t>& sizes);
  void refresh_values(Buffer& buffer);
  void add_state(tensor::NamedTensors& out, std::size_t index) const;
  std::optional<std::string> first_bad(bool gradients) const;

  std::vector<Trained> parameters_;
  AdamWOptions options_;
  std::vector<Buffer> buffers_;
  std::vector<Place> places_;  ///< of each parameter
  std::int64_t steps_ = 0;
};

/// What one step does to one buffer; all float32 and flat.
struct AdamWStep {
  double rate = 0, scale = 1, weight_decay = 0;
  std::int64_t step = 1;  ///< t, from 1
  AdamWOptions options;
};

/// In one pass over the memory on the CPU; elsewhere, and as the plain twin, with tensor operations.
void adamw_update(const AdamWStep& step, at::Tensor& w, const at::Tensor& g, at::Tensor& m, at::Tensor& v);
void adamw_update_reference(const AdamWStep& step, at::Tensor& w, const at::Tensor& g, at::Tensor& m, at::Tensor& v);

}  // namespace filigree::train
