#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <Eigen/Core>

#include "base/json.h"
#include "base/random.h"
#include "dynamics/data.h"

/// Differentiable maps from columns to columns, over one flat vector of parameters.
namespace filigree::dynamics {

using ParamsRef = Eigen::Ref<const Vector>;
using GradientRef = Eigen::Ref<Vector>;

/// What a forward pass leaves for the backward pass, and scratch. One tape serves one pass at a time; reusing it for
/// batches of one size costs no allocation.
class Tape {
 public:
  virtual ~Tape() = default;
};

/// An architecture. It holds no parameters, so that one object serves several threads and several parameter vectors.
/// Samples are in columns throughout.
class Network {
 public:
  virtual ~Network() = default;

  virtual Eigen::Index inputs() const = 0;
  virtual Eigen::Index outputs() const = 0;
  virtual Eigen::Index num_parameters() const = 0;
  /// Multiplications, additions and transcendental functions for one sample.
  virtual std::int64_t operations() const = 0;

  /// Starting parameters.
  virtual Vector initial(Random& random) const = 0;

  virtual std::unique_ptr<Tape> make_tape() const = 0;

  /// y (outputs, batch) of x (inputs, batch).
  virtual void forward(ParamsRef params, const Matrix& x, Matrix& y, Tape& tape) const = 0;

  /// After the forward pass that filled the tape, with dy = ∂loss/∂y: *adds* ∂loss/∂params to dp and, where dx is not
  /// null, *sets* it to ∂loss/∂x.
  virtual void backward(ParamsRef params, Tape& tape, const Matrix& dy, GradientRef dp, Matrix* dx) const = 0;

  /// y as above and the derivatives of all its entries: column s·outputs + o of jp (parameters, outputs · batch) and of
  /// jx (inputs, outputs · batch) belongs to output o of sample s. As here it makes one backward pass for every column.
  virtual void jacobian(ParamsRef params, const Matrix& x, Matrix& y, Matrix& jp, Matrix& jx) const;

  /// The architecture, not the parameters; "type" is its first key.
  virtual Json to_json() const = 0;
};

using NetworkPtr = std::shared_ptr<const Network>;

/// y = s ∘ net(x), or x_newest + s ∘ net(x) where `residual`, with fixed s. x_newest are the `outputs` rows of x that
/// begin at `newest`.
class ScaledNetwork : public Network {
 public:
  ScaledNetwork(NetworkPtr inner, Vector scale, bool residual, Eigen::Index newest = 0);

  Eigen::Index inputs() const override { return inner_->inputs(); }
  Eigen::Index outputs() const override { return inner_->outputs(); }
  Eigen::Index num_parameters() const override { return inner_->num_parameters(); }
  std::int64_t operations() const override;
  Vector initial(Random& random) const override { return inner_->initial(random); }
  std::unique_ptr<Tape> make_tape() const override;
  void forward(ParamsRef params, const Matrix& x, Matrix& y, Tape& tape) const override;
  void backward(ParamsRef params, Tape& tape, const Matrix& dy, GradientRef dp, Matrix* dx) const override;
  void jacobian(ParamsRef params, const Matrix& x, Matrix& y, Matrix& jp, Matrix& jx) const override;
  Json to_json() const override;

  const NetworkPtr& inner() const { return inner_; }

 private:
  NetworkPtr inner_;
  Vector scale_;
  bool residual_;
  Eigen::Index newest_;
};

enum class RungeKutta { classic, three_eighths };

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::RungeKutta> {
  static constexpr std::array<std::pair<filigree::dynamics::RungeKutta, std::string_view>, 2> table{
      {{filigree::dynamics::RungeKutta::classic, "classic"},
       {filigree::dynamics::RungeKutta::three_eighths, "three_eighths"}}};
};

namespace filigree::dynamics {

/// The state after a time `dt` under dx/dt = net(x, u) with constant u: `steps` equal Runge–Kutta steps of fourth
/// order. The first `outputs` rows of its input are x, the rest u. Its gradients are those of the discrete steps.
class OdeNetwork : public Network {
 public:
  OdeNetwork(NetworkPtr rate, double dt, int steps, RungeKutta rule = RungeKutta::classic);

  Eigen::Index inputs() const override { return rate_->inputs(); }
  Eigen::Index outputs() const override { return rate_->outputs(); }
  Eigen::Index num_parameters() const override { return rate_->num_parameters(); }
  std::int64_t operations() const override;
  Vector initial(Random& random) const override { return rate_->initial(random); }
  std::unique_ptr<Tape> make_tape() const override;
  void forward(ParamsRef params, const Matrix& x, Matrix& y, Tape& tape) const override;
  void backward(ParamsRef params, Tape& tape, const Matrix& dy, GradientRef dp, Matrix* dx) const override;
  void jacobian(ParamsRef params, const Matrix& x, Matrix& y, Matrix& jp, Matrix& jx) const override;
  Json to_json() const override;

 private:
  NetworkPtr rate_;
  double dt_;
  int steps_;
  RungeKutta rule_;
};

}  // namespace filigree::dynamics
