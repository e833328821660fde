#pragma once

#include "dynamics/model.h"
#include "dynamics/network.h"
#include "dynamics/training.h"

/// The structured network as its co-author released it (arXiv 2503.23697; LeviLingsch/StNN: train_pendulum.py and
/// stnn_bench/models.py), for comparison with the one of stnn.h. Its p blocks share one set of weights and own only
/// their biases; as these start at zero, all blocks get the same gradients and stay copies of one block for ever.
namespace filigree::dynamics {

/// The first release, and the later one with smooth activations and a small dense network behind the blocks.
enum class PublishedForm { plain, improved };

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::PublishedForm> {
  static constexpr std::array<std::pair<filigree::dynamics::PublishedForm, std::string_view>, 2> table{
      {{filigree::dynamics::PublishedForm::plain, "plain"}, {filigree::dynamics::PublishedForm::improved, "improved"}}};
};

namespace filigree::dynamics {

/// With r = 2n, J = [I; 0] (r × n), Ĩ the reversal of rows, and one step of the Fourier recursion whose half-size
/// transform F is a learned real matrix,
///
///     F_r = P^T [[F, F], [F G, -F G]],   G = diag(D_grave),   P^T putting the two halves on even and odd rows,
///
/// the plain form is
///
///     y = diag(D_check) Σ_b relu(Ĩ σ(J^T F_r diag(D_hat) tanh(F_r J x + b1_b) + b2_b) + b3_b) + b4
///
/// and the improved form, with z = x or its layer norm and D = softplus(D_hat) + 1e-4,
///
///     o = diag(D_check) Σ_b silu(Ĩ gelu(J^T F_r diag(D) (tanh(F_r J z) + b1_b) + b2_b) + b3_b) + b4
///     y = x + exp(s) dt (o + W2 silu(W1 o + c1) + c2)
///
/// The release's dropout is left out.
class StnnPublishedNetwork : public Network {
 public:
  struct Shape {
    Eigen::Index size = 2;  ///< n, numbers in and out
    Eigen::Index blocks = 10;
    PublishedForm form = PublishedForm::plain;
    Eigen::Index hidden = 0;  ///< width of the dense network, improved form
    bool layer_norm = false;  ///< of the input, improved form
    double dt = 1;            ///< improved form

    template <class Self, class Visitor>
    static void visit(Self& self, Visitor& v) {
      v.required("size", self.size, "numbers in and out", between(1, 1 << 12));
      v.required("blocks", self.blocks, "blocks p", between(1, 1 << 20));
      v.required("form", self.form, "plain or improved");
      v.required("hidden", self.hidden, "width of the dense network", between(0, 1 << 20));
      v.required("layer_norm", self.layer_norm, "the input is normalised over its numbers");
      v.required("dt", self.dt, "time step", positive);
    }
  };

  /// What only initial() asks for.
  struct Start {
    bool own_biases = false;    ///< biases of the blocks uniform in (-1, 1) rather than zero
    double residual_scale = 1;  ///< exp(s)
  };

  explicit StnnPublishedNetwork(const Shape& shape) : StnnPublishedNetwork(shape, Start()) {}
  StnnPublishedNetwork(const Shape& shape, const Start& start);

  const Shape& shape() const { return shape_; }
  Eigen::Index inputs() const override { return shape_.size; }
  Eigen::Index outputs() const override { return shape_.size; }
  /// n² + 5n + 4np; the improved form adds 2nh + h + n + 1, and 2n with a layer norm.
  Eigen::Index num_parameters() const override { return at_.end; }
  std::int64_t operations() const override;

  /// As released: diagonals N(0, 1), F N(0, 1/n), biases zero (or see Start); dense layers uniform in ± 1/√inputs.
  Vector initial(Random& random) const override;

  std::unique_ptr<Tape> make_tape() const override;
  void forward(ParamsRef params, const Matrix& x, Matrix& y, Tape& tape) const override;
  void backward(ParamsRef params, Tape& tape, const Matrix& dy, GradientRef dp, Matrix* dx) const override;
  Json to_json() const override;

  /// Where the parameters begin; biases of a block stand together, block after block.
  struct Layout {
    Eigen::Index b1 = 0, b2 = 0, b3 = 0;                 // (2n, p), (n, p), (n, p)
    Eigen::Index transform = 0;                          // F (n, n) by columns
    Eigen::Index hat = 0, grave = 0, check = 0, b4 = 0;  // 2n, n, n, n
    Eigen::Index in = 0, in_bias = 0;                    // W1 (h, n), c1
    Eigen::Index out = 0, out_bias = 0;                  // W2 (n, h), c2
    Eigen::Index norm = 0, norm_bias = 0;                // of the layer norm, n each
    Eigen::Index scale = 0;                              // s
    Eigen::Index end = 0;
  };
  const Layout& layout() const { return at_; }

  /// The largest difference between the same bias of two blocks: 0 where all blocks are copies of one.
  double bias_spread(ParamsRef params) const;

 private:
  struct Pass;
  bool improved() const { return shape_.form == PublishedForm::improved; }
  void assemble(const double* params, Pass& pass) const;
  void run_blocks(const double* params, Pass& pass) const;
  void run_dense(const double* params, Pass& pass) const;
  void dense_back(const double* params, Pass& pass, double* dp) const;
  void blocks_back(const double* params, Pass& pass, double* dp) const;
  void assemble_back(const double* params, Pass& pass, double* dp) const;
  void norm_forward(const double* params, const Matrix& x, Pass& pass) const;
  void norm_back(const double* params, Pass& pass, double* dp) const;

  Shape shape_;
  Start start_;
  Layout at_;
};

struct StnnPublishedOptions {
  PublishedForm form = PublishedForm::improved;
  Eigen::Index blocks = 1024;
  Eigen::Index hidden = 1024;
  bool own_biases = false;
  bool layer_norm = false;
  double residual_scale = 1;
  bool normalise = true;  // the plain release trains on raw values, the improved one on normalised ones
  /// Of the release's pendulum run. Its plain form had 200 epochs of one-step losses, batch 128, a constant rate 1e-3.
  TrainingOptions training = {.optimiser = Optimiser::adam,
                              .epochs = 120,
                              .batch = 64,
                              .rollout = 12,
                              .rollout_weight = 0.7,
                              .teacher_start = 1,
                              .teacher_end = 0.2,
                              .windows_per_run = 1,
                              .validation_horizon = 80,
                              .validation_windows = 96,
                              .evaluate_every = 5,
                              .adam = {.weight_decay = 1e-4, .clip_norm = 1, .warm_up = 0.05, .cosine = true}};

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("form", self.form, "plain or improved");
    v.optional("blocks", self.blocks, "blocks p, which share their weights", between(1, 1 << 20));
    v.optional("hidden", self.hidden, "width of the dense network behind the blocks (improved)", between(1, 1 << 20));
    v.optional("own_biases", self.own_biases, "blocks start with biases of their own; as published they are all zero");
    v.optional("layer_norm", self.layer_norm, "layer norm of the input (improved)");
    v.optional("residual_scale", self.residual_scale, "factor on the change at the start (improved)", positive);
    v.optional("normalise", self.normalise, "each coordinate is brought to mean 0 and deviation 1");
    v.optional("training", self.training, "how it is trained");
  }
};

/// Fits the published network to maps from one sample to the next. Error where the data is bad, driven by controls, or
/// too short for a window.
ModelPtr fit_stnn_published(const Dataset& data, const StnnPublishedOptions& options, const TrainingHooks& hooks = {});

/// Reads what its to_json() wrote.
ModelPtr load_stnn_published(const Json& json, const std::string& where);

}  // namespace filigree::dynamics
