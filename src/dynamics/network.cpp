#include "dynamics/network.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "dynamics/model.h"

namespace filigree::dynamics {

void Network::jacobian(ParamsRef params, const Matrix& x, Matrix& y, Matrix& jp, Matrix& jx) const {
  const Eigen::Index count = x.cols(), out = outputs();
  const std::unique_ptr<Tape> tape = make_tape();
  Matrix input, output, unit, dx;
  y.resize(out, count);
  jp.setZero(num_parameters(), out * count);
  jx.resize(inputs(), out * count);
  for (Eigen::Index s = 0; s < count; ++s) {
    input = x.col(s);
    forward(params, input, output, *tape);
    y.col(s) = output;
    for (Eigen::Index o = 0; o < out; ++o) {
      unit = Vector::Unit(out, o);
      backward(params, *tape, unit, jp.col(s * out + o), &dx);
      jx.col(s * out + o) = dx;
    }
  }
}

namespace {

struct ScaledTape : Tape {
  std::unique_ptr<Tape> inner;
  Matrix scaled;
};

}  // namespace

ScaledNetwork::ScaledNetwork(NetworkPtr inner, Vector scale, bool residual, Eigen::Index newest)
    : inner_(std::move(inner)), scale_(std::move(scale)), residual_(residual), newest_(newest) {
  FILIGREE_ASSERT(scale_.size() == inner_->outputs());
  FILIGREE_ASSERT(!residual_ || newest_ + inner_->outputs() <= inner_->inputs());
}

std::int64_t ScaledNetwork::operations() const { return inner_->operations() + outputs() * (residual_ ? 2 : 1); }

std::unique_ptr<Tape> ScaledNetwork::make_tape() const {
  auto tape = std::make_unique<ScaledTape>();
  tape->inner = inner_->make_tape();
  return tape;
}

void ScaledNetwork::forward(ParamsRef params, const Matrix& x, Matrix& y, Tape& tape) const {
  inner_->forward(params, x, y, *static_cast<ScaledTape&>(tape).inner);
  y.array().colwise() *= scale_.array();
  if (residual_) y += x.middleRows(newest_, outputs());
}

void ScaledNetwork::backward(ParamsRef params, Tape& tape, const Matrix& dy, GradientRef dp, Matrix* dx) const {
  auto& own = static_cast<ScaledTape&>(tape);
  own.scaled = dy.array().colwise() * scale_.array();
  inner_->backward(params, *own.inner, own.scaled, dp, dx);
  if (residual_ && dx != nullptr) dx->middleRows(newest_, outputs()) += dy;
}

void ScaledNetwork::jacobian(ParamsRef params, const Matrix& x, Matrix& y, Matrix& jp, Matrix& jx) const {
  inner_->jacobian(params, x, y, jp, jx);
  y.array().colwise() *= scale_.array();
  if (residual_) y += x.middleRows(newest_, outputs());
  for (Eigen::Index column = 0; column < jp.cols(); ++column) {
    const Eigen::Index o = column % outputs();
    jp.col(column) *= scale_[o];
    jx.col(column) *= scale_[o];
    if (residual_) jx(newest_ + o, column) += 1;
  }
}

Json ScaledNetwork::to_json() const {
  Json json;
  json["type"] = "scaled";
  json["residual"] = residual_;
  json["newest"] = newest_;
  json["scale"] = matrix_json(scale_.transpose());
  json["inner"] = inner_->to_json();
  return json;
}

namespace {

constexpr std::size_t kStages = 4;

/// Stage i looks at x + h Σ_j a[i][j] k_j; the step is x + h Σ b_i k_i.
struct Tableau {
  std::array<std::array<double, kStages>, kStages> a;
  std::array<double, kStages> b;
};

const Tableau& tableau(RungeKutta rule) {
  static const Tableau classic{{{{0, 0, 0, 0}, {0.5, 0, 0, 0}, {0, 0.5, 0, 0}, {0, 0, 1, 0}}},
                               {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6}};
  static const Tableau eighths{{{{0, 0, 0, 0}, {1.0 / 3, 0, 0, 0}, {-1.0 / 3, 1, 0, 0}, {1, -1, 1, 0}}},
                               {1.0 / 8, 3.0 / 8, 3.0 / 8, 1.0 / 8}};
  return rule == RungeKutta::classic ? classic : eighths;
}

struct OdeTape : Tape {
  std::vector<std::unique_ptr<Tape>> stages;  // of all steps
  std::array<Matrix, kStages> k, dk;
  Matrix input, dinput, dstate;
};

}  // namespace

OdeNetwork::OdeNetwork(NetworkPtr rate, double dt, int steps, RungeKutta rule)
    : rate_(std::move(rate)), dt_(dt), steps_(steps), rule_(rule) {
  FILIGREE_ASSERT(steps_ > 0 && rate_->inputs() >= rate_->outputs());
}

std::int64_t OdeNetwork::operations() const {
  const std::int64_t combine = rule_ == RungeKutta::classic ? 13 : 17;  // of the stages, for every coordinate
  return steps_ * (4 * rate_->operations() + combine * outputs());
}

std::unique_ptr<Tape> OdeNetwork::make_tape() const {
  auto tape = std::make_unique<OdeTape>();
  for (int i = 0; i < steps_ * static_cast<int>(kStages); ++i) tape->stages.push_back(rate_->make_tape());
  return tape;
}

void OdeNetwork::forward(ParamsRef params, const Matrix& x, Matrix& y, Tape& tape) const {
  auto& own = static_cast<OdeTape&>(tape);
  const Tableau& rule = tableau(rule_);
  const Eigen::Index n = outputs();
  const double h = dt_ / steps_;
  own.input = x;
  y = x.topRows(n);
  for (std::size_t step = 0; step < static_cast<std::size_t>(steps_); ++step) {
    for (std::size_t i = 0; i < kStages; ++i) {
      own.input.topRows(n) = y;
      for (std::size_t j = 0; j < i; ++j) {
        if (rule.a[i][j] != 0) own.input.topRows(n) += h * rule.a[i][j] * own.k[j];
      }
      rate_->forward(params, own.input, own.k[i], *own.stages[step * kStages + i]);
    }
    for (std::size_t i = 0; i < kStages; ++i) y += h * rule.b[i] * own.k[i];
  }
}

void OdeNetwork::backward(ParamsRef params, Tape& tape, const Matrix& dy, GradientRef dp, Matrix* dx) const {
  auto& own = static_cast<OdeTape&>(tape);
  const Tableau& rule = tableau(rule_);
  const Eigen::Index n = outputs();
  const double h = dt_ / steps_;
  own.dstate = dy;
  if (dx != nullptr) dx->setZero(inputs(), dy.cols());
  for (auto step = static_cast<std::size_t>(steps_); step-- > 0;) {
    for (std::size_t i = 0; i < kStages; ++i) own.dk[i] = h * rule.b[i] * own.dstate;
    for (std::size_t i = kStages; i-- > 0;) {
      rate_->backward(params, *own.stages[step * kStages + i], own.dk[i], dp, &own.dinput);
      own.dstate += own.dinput.topRows(n);
      for (std::size_t j = 0; j < i; ++j) {
        if (rule.a[i][j] != 0) own.dk[j] += h * rule.a[i][j] * own.dinput.topRows(n);
      }
      if (dx != nullptr) dx->bottomRows(inputs() - n) += own.dinput.bottomRows(inputs() - n);
    }
  }
  if (dx != nullptr) dx->topRows(n) = own.dstate;
}

void OdeNetwork::jacobian(ParamsRef params, const Matrix& x, Matrix& y, Matrix& jp, Matrix& jx) const {
  const Tableau& rule = tableau(rule_);
  const Eigen::Index n = outputs(), m = inputs() - n, count = x.cols();
  const double h = dt_ / steps_;
  Matrix input = x, rate_x, state_p, state_x;
  std::array<Matrix, kStages> k, k_p, k_x;
  y = x.topRows(n);
  jp.setZero(num_parameters(), n * count);
  jx.setZero(inputs(), n * count);
  for (Eigen::Index column = 0; column < n * count; ++column) jx(column % n, column) = 1;
  for (int step = 0; step < steps_; ++step) {
    for (std::size_t i = 0; i < kStages; ++i) {
      input.topRows(n) = y;
      state_p = jp;
      state_x = jx;
      for (std::size_t j = 0; j < i; ++j) {
        if (rule.a[i][j] == 0) continue;
        input.topRows(n) += h * rule.a[i][j] * k[j];
        state_p += h * rule.a[i][j] * k_p[j];
        state_x += h * rule.a[i][j] * k_x[j];
      }
      rate_->jacobian(params, input, k[i], k_p[i], rate_x);
      k_x[i].setZero(inputs(), n * count);
      for (Eigen::Index s = 0; s < count; ++s) {
        const auto by_state = rate_x.block(0, s * n, n, n);  // transposed: (state, output)
        k_p[i].middleCols(s * n, n).noalias() += state_p.middleCols(s * n, n) * by_state;
        k_x[i].middleCols(s * n, n).noalias() = state_x.middleCols(s * n, n) * by_state;
        k_x[i].block(n, s * n, m, n) += rate_x.block(n, s * n, m, n);
      }
    }
    for (std::size_t i = 0; i < kStages; ++i) {
      y += h * rule.b[i] * k[i];
      jp += h * rule.b[i] * k_p[i];
      jx += h * rule.b[i] * k_x[i];
    }
  }
}

Json OdeNetwork::to_json() const {
  Json json;
  json["type"] = "ode";
  json["dt"] = dt_;
  json["steps"] = steps_;
  json["rule"] = std::string(enum_name(rule_));
  json["rate"] = rate_->to_json();
  return json;
}

}  // namespace filigree::dynamics
