#pragma once

#include "dynamics/activation.h"
#include "dynamics/network.h"
#include "structured/butterfly.h"
#include "structured/skew.h"

namespace filigree::dynamics {

/// What a structured layer may learn besides its diagonal: nothing (exact Fourier factors, 2n numbers a weight matrix,
/// which is then a Hankel matrix), or the twiddles of its butterflies (n log2 n more).
enum class Factors { fourier, twiddles };

/// Sizes of a structured network.
struct StnnShape {
  Eigen::Index inputs = 0, outputs = 0;
  Eigen::Index channels = 16;  // n, a power of two
  int blocks = 4;              // p
  int layers = 2;
  bool lift = true;  // the input becomes n channels by a dense map; else it is the window itself, padded with zeros
  Bend bend = Bend::tanh;
  Factors factors = Factors::fourier;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("inputs", self.inputs, "numbers in", at_least(1));
    v.required("outputs", self.outputs, "numbers out", at_least(1));
    v.required("channels", self.channels, "width n, a power of two", at_least(2));
    v.required("blocks", self.blocks, "separate blocks p", at_least(1));
    v.required("layers", self.layers, "structured layers one behind another", at_least(1));
    v.required("lift", self.lift, "a dense map from the input to the channels");
    v.required("bend", self.bend, "tanh or sine");
    v.required("factors", self.factors, "what is learned besides the diagonals: fourier (nothing) or twiddles");
  }
};

/// What the starting parameters are made from.
struct StnnStart {
  Vector gains;   ///< (inputs) factors on the columns of A: how fast channels vary with each input; empty for ones
  Vector series;  ///< measurements for the first Hankel matrices; empty for random ones
};

/// The structured network with separate blocks:
///
///     z = A x + a (lift) or the padded window
///     h_b = f(H_b,L … f(H_b,1 z + c_b,1) … + c_b,L)       b = 1 … p
///     y = L x + d + Σ_b C_b h_b
///
/// Every H is a Hankel operator Ĩ Re(D^* F^* diag(λ) F D) / n with n complex numbers λ of its own
/// (structured/skew.h): 2n parameters and O(n log n) operations where a dense matrix has n² of both. (After
/// arXiv 2503.23697; blocks that share weights and biases, as in its released code, never separate.)
class StnnNetwork : public Network {
 public:
  /// Error where the shape cannot be.
  explicit StnnNetwork(const StnnShape& shape, StnnStart start = {});

  const StnnShape& shape() const { return shape_; }
  Eigen::Index inputs() const override { return shape_.inputs; }
  Eigen::Index outputs() const override { return shape_.outputs; }
  Eigen::Index num_parameters() const override { return layout_.end; }
  std::int64_t operations() const override;

  /// Hankel operators with random symbols of unit row norm and a readout near zero. With 2n - 1
  /// measurements or more the first operator of every block is their Hankel matrix: neighbours from a random place,
  /// scaled to that norm.
  Vector initial(Random& random) const override;

  std::unique_ptr<Tape> make_tape() const override;
  void forward(ParamsRef params, const Matrix& x, Matrix& y, Tape& tape) const override;
  void backward(ParamsRef params, Tape& tape, const Matrix& dy, GradientRef dp, Matrix* dx) const override;
  void jacobian(ParamsRef params, const Matrix& x, Matrix& y, Matrix& jp, Matrix& jx) const override;
  Json to_json() const override;

  /// Where the numbers of one weight matrix stand: n real parts of λ, n imaginary parts, twiddles, n biases.
  struct Weight {
    Eigen::Index re, im, twiddles, bias;
  };
  struct Layout {
    Eigen::Index lift = 0, lift_bias = 0;  // A by rows (n, inputs); a
    Eigen::Index weights = 0;              // of all layers and blocks
    Eigen::Index readout = 0;              // C (outputs, blocks, n)
    Eigen::Index bias = 0, linear = 0;     // d; L (outputs, inputs)
    Eigen::Index end = 0;
  };
  const Layout& layout() const { return layout_; }
  Weight weight(int layer, int block) const {
    const Eigen::Index begin = layout_.weights + (layer * shape_.blocks + block) * per_weight_, n = shape_.channels;
    return {begin, begin + n, begin + 2 * n, begin + per_weight_ - n};
  }

  /// A Hankel operator's λ from its 2n - 1 numbers, written into the parameters.
  void set_hankel(Vector& params, const Weight& weight, const std::vector<double>& symbol) const;

 private:
  struct Pass;
  using Lanes = Eigen::ArrayXXd;  // (samples, numbers)
  void run(const double* params, Pass& pass) const;
  void run_single(const double* params, const double* x, double* y, Pass& pass) const;
  void scale_single(const double* params, Pass& pass, int layer) const;
  void operate(const double* params, Pass& pass, int layer, int block) const;
  void reverse(const double* params, Pass& pass, const Lanes& dy, Lanes& grad, Lanes& dx) const;
  void operate_back(const double* params, Pass& pass, int layer, int block, Lanes& grad) const;

  StnnShape shape_;
  structured::SkewProduct skew_;
  structured::Butterfly butterfly_;
  Layout layout_;
  Eigen::Index per_weight_ = 0;
  StnnStart start_;
};

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::Factors> {
  static constexpr std::array<std::pair<filigree::dynamics::Factors, std::string_view>, 2> table{
      {{filigree::dynamics::Factors::fourier, "fourier"}, {filigree::dynamics::Factors::twiddles, "twiddles"}}};
};
