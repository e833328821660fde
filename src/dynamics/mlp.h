#pragma once

#include "dynamics/model.h"
#include "dynamics/network.h"
#include "dynamics/training.h"

/// The conventional multi-layer perceptron, as a network and as a forecaster.
namespace filigree::dynamics {

/// tanh, relu, silu x σ(x), swish x σ(softplus(b) x) / 1.1 with one learned b a layer (yuan-yin/LEADS: networks.py),
/// sine.
enum class Activation { tanh, relu, silu, swish, sine };

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::Activation> {
  using A = filigree::dynamics::Activation;
  static constexpr std::array<std::pair<A, std::string_view>, 5> table{
      {{A::tanh, "tanh"}, {A::relu, "relu"}, {A::silu, "silu"}, {A::swish, "swish"}, {A::sine, "sine"}}};
};

namespace filigree::dynamics {

/// Layers W x + b, an activation after each but the last. Parameters layer by layer: W by columns, b, then the swish's
/// own number.
class Mlp : public Network {
 public:
  struct Shape {
    std::vector<Eigen::Index> widths;  ///< inputs, hidden layers, outputs
    Activation activation = Activation::tanh;
    double weight_deviation = 0;  ///< of the starting weights; 0 for 1 / √inputs of the layer (√(2 / inputs) for relu)
    double last_layer = 1;        ///< factor on the starting weights of the last layer
  };
  explicit Mlp(Shape shape);

  Eigen::Index inputs() const override { return shape_.widths.front(); }
  Eigen::Index outputs() const override { return shape_.widths.back(); }
  Eigen::Index num_parameters() const override { return offsets_.back(); }
  std::int64_t operations() const override;
  Vector initial(Random& random) const override;
  std::unique_ptr<Tape> make_tape() const override;
  void forward(ParamsRef params, const Matrix& x, Matrix& y, Tape& tape) const override;
  void backward(ParamsRef params, Tape& tape, const Matrix& dy, GradientRef dp, Matrix* dx) const override;
  void jacobian(ParamsRef params, const Matrix& x, Matrix& y, Matrix& jp, Matrix& jx) const override;
  Json to_json() const override;

  std::size_t num_layers() const { return shape_.widths.size() - 1; }
  /// The weights of a layer among the parameters.
  Eigen::Map<const Matrix> weights(ParamsRef params, std::size_t layer) const;
  Eigen::Index offset(std::size_t layer) const { return offsets_[layer]; }

 private:
  double slope_parameter(ParamsRef params, std::size_t layer) const;

  Shape shape_;
  std::vector<Eigen::Index> offsets_;  // of the layers, then the end
};

struct MlpOptions {
  std::vector<Eigen::Index> hidden = {32, 32};
  Activation activation = Activation::tanh;
  int history = 1;       // samples that the network sees
  bool residual = true;  // it gives the change, in units of the changes' deviation
  TrainingOptions training = {};

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("hidden", self.hidden, "widths of the hidden layers", at_least(1));
    v.optional("activation", self.activation, "tanh, relu, silu, swish or sine");
    v.optional("history", self.history, "samples that the network sees", at_least(1));
    v.optional("residual", self.residual, "the network gives the change of the state");
    v.optional("training", self.training, "how it is trained");
  }
};

/// Learns x_{k+1} from x_k (with its history and controls) by one-step or roll-out loss. Error where the data is bad or
/// too short for a window.
ModelPtr fit_mlp(const Dataset& data, const MlpOptions& options, const TrainingHooks& hooks = {});
ModelPtr load_mlp(const Json& json, const std::string& where);

}  // namespace filigree::dynamics
