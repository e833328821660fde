#include "dynamics/optimise.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numbers>
#include <thread>
#include <utility>
#include <vector>

#include <Eigen/Cholesky>

#include "base/cancel.h"
#include "base/error.h"
#include "dynamics/model.h"

namespace filigree::dynamics {

NormalEquations::NormalEquations(Eigen::Index parameters)
    : jtj_(Matrix::Zero(parameters, parameters)), jtr_(Vector::Zero(parameters)) {}

void NormalEquations::clear() {
  jtj_.setZero();
  jtr_.setZero();
  cost_ = 0;
}

void NormalEquations::add(const Eigen::Ref<const Matrix>& jacobian, const Eigen::Ref<const Vector>& residuals) {
  FILIGREE_ASSERT(jacobian.cols() == jtr_.size() && jacobian.rows() == residuals.size());
  jtj_.selfadjointView<Eigen::Lower>().rankUpdate(jacobian.transpose());
  jtr_.noalias() += jacobian.transpose() * residuals;
  cost_ += 0.5 * residuals.squaredNorm();
}

void NormalEquations::add(const NormalEquations& other) {
  jtj_ += other.jtj_;
  jtr_ += other.jtr_;
  cost_ += other.cost_;
}

namespace {

// Blocks are dealt to the lanes whatever the number of threads, so that sums are always formed in one order.
using BlockFunction = std::function<void(Eigen::Index, const Vector&, Vector&, Matrix*)>;

/// Scratch of one lane.
struct Lane {
  std::unique_ptr<NormalEquations> sums;
  Vector residuals;
  Matrix jacobian;
  double cost = 0;
  std::exception_ptr error;
};

class BlockProblem {
 public:
  BlockProblem(Eigen::Index parameters, Eigen::Index blocks, BlockFunction evaluate, int threads)
      : parameters_(parameters), blocks_(blocks), evaluate_(std::move(evaluate)), threads_(threads) {
    lanes_.resize(static_cast<std::size_t>(std::min(blocks, kBlockLanes)));
  }

  double accumulate(const Vector& params, Matrix* jtj, Vector* jtr) {
    const std::size_t count = lanes_.size();
    const std::size_t workers = std::min(static_cast<std::size_t>(std::max(threads_, 1)), count);
    const auto work = [&](std::size_t first) {
      for (std::size_t i = first; i < count; i += workers) run(i, params, jtj != nullptr);
    };
    std::vector<std::thread> helpers;
    for (std::size_t i = 1; i < workers; ++i) helpers.emplace_back(work, i);
    work(0);
    for (std::thread& helper : helpers) helper.join();
    double cost = 0;
    if (jtj != nullptr) jtj->setZero(parameters_, parameters_), jtr->setZero(parameters_);
    for (Lane& lane : lanes_) {
      if (lane.error) std::rethrow_exception(std::exchange(lane.error, nullptr));
      cost += lane.cost;
      if (jtj == nullptr) continue;
      *jtj += lane.sums->jtj();
      *jtr += lane.sums->jtr();
    }
    return cost;
  }

 private:
  void run(std::size_t index, const Vector& params, bool derivatives) {
    Lane& lane = lanes_[index];
    try {
      lane.cost = 0;
      if (derivatives && !lane.sums) lane.sums = std::make_unique<NormalEquations>(parameters_);
      if (derivatives) lane.sums->clear();
      for (Eigen::Index block = static_cast<Eigen::Index>(index); block < blocks_; block += kBlockLanes) {
        evaluate_(block, params, lane.residuals, derivatives ? &lane.jacobian : nullptr);
        if (derivatives) lane.sums->add(lane.jacobian, lane.residuals);
        lane.cost += 0.5 * lane.residuals.squaredNorm();
      }
    } catch (...) {
      lane.error = std::current_exception();
    }
  }

  Eigen::Index parameters_, blocks_;
  BlockFunction evaluate_;
  int threads_;
  std::vector<Lane> lanes_;
};

}  // namespace

LeastSquares least_squares_in_blocks(Eigen::Index parameters, Eigen::Index blocks, BlockFunction evaluate,
                                     int threads) {
  auto problem = std::make_shared<BlockProblem>(parameters, blocks, std::move(evaluate), threads);
  return {parameters,
          [problem](const Vector& params, Matrix* jtj, Vector* jtr) { return problem->accumulate(params, jtj, jtr); }};
}

std::string lm_stop_text(LmStop stop) {
  switch (stop) {
    case LmStop::running:
      return "still running";
    case LmStop::gradient:
      return "the gradient vanished";
    case LmStop::step:
      return "the steps became too small";
    case LmStop::cost:
      return "the cost fell no further";
    case LmStop::iterations:
      return "all iterations were used";
    case LmStop::callback:
      return "the caller stopped it";
    case LmStop::cancelled:
      return "it was cancelled";
    case LmStop::stuck:
      return "no step lowered the cost";
  }
  return "?";
}

LevenbergMarquardt::LevenbergMarquardt(const LeastSquares& problem, Vector start, const LmOptions& options)
    : problem_(problem), options_(options), params_(std::move(start)), damping_(options.initial_damping) {
  FILIGREE_ASSERT(params_.size() == problem.parameters);
  gradient_.resize(params_.size());
  scale_ = Vector::Zero(params_.size());
  jtj_.resize(params_.size(), params_.size());
  cost_ = evaluate(params_, true);
  if (!std::isfinite(cost_)) fail("the cost at the starting parameters is not finite");
}

double LevenbergMarquardt::evaluate(const Vector& params, bool derivatives) {
  double cost = problem_.accumulate(params, derivatives ? &jtj_ : nullptr, derivatives ? &gradient_ : nullptr);
  if (derivatives) {
    jtj_.diagonal().array() += options_.ridge;
    gradient_ += options_.ridge * params;
    // A parameter that nothing depends on would leave the matrix singular.
    const double floor = 1e-12 * std::max(jtj_.diagonal().maxCoeff(), std::numeric_limits<double>::min());
    scale_ = scale_.cwiseMax(jtj_.diagonal()).cwiseMax(floor);
  }
  return cost + 0.5 * options_.ridge * params.squaredNorm();
}

bool LevenbergMarquardt::end(LmStop stop) {
  stop_ = stop;
  return false;
}

void LevenbergMarquardt::refuse() {
  damping_ *= growth_;
  growth_ *= 2;
}

bool LevenbergMarquardt::step() {
  constexpr double kMostDamping = 1e30;
  if (stop_ != LmStop::running) return false;
  if (gradient_.cwiseAbs().maxCoeff() <= options_.gradient_tolerance) return end(LmStop::gradient);
  if (iterations_ >= options_.iterations) return end(LmStop::iterations);
  if (damping_ > kMostDamping) return end(LmStop::stuck);
  ++iterations_;
  damped_ = jtj_;
  damped_.diagonal() += damping_ * scale_;
  Eigen::LLT<Eigen::Ref<Matrix>, Eigen::Lower> factor(damped_);
  if (factor.info() != Eigen::Success) {
    refuse();
    return true;
  }
  step_ = factor.solve(-gradient_);
  if (step_.norm() <= options_.step_tolerance * (params_.norm() + options_.step_tolerance)) return end(LmStop::step);
  // The model's promise: cost - model(step) = ½ s^T (μ D s - gradient).
  const double promised = 0.5 * step_.dot((damping_ * scale_.array() * step_.array()).matrix() - gradient_);
  if (promised <= options_.cost_tolerance * cost_) return end(LmStop::cost);
  trial_ = params_ + step_;
  const double cost = evaluate(trial_, false);
  const double gain = (cost_ - cost) / promised;
  if (!(gain > 0)) {  // also where the cost is not a number
    refuse();
    return true;
  }
  params_.swap(trial_);
  cost_ = evaluate(params_, true);
  damping_ *= std::max(1.0 / 3, 1 - std::pow(2 * gain - 1, 3));
  growth_ = 2;
  return true;
}

Json LevenbergMarquardt::to_json() const {
  Json json;
  json["params"] = matrix_json(params_.transpose());
  json["scale"] = matrix_json(scale_.transpose());
  json["damping"] = damping_;
  json["growth"] = growth_;
  json["iterations"] = iterations_;
  return json;
}

namespace {

const Json& member(const Json& json, const char* name, const std::string& where) {
  if (!json.is_object() || !json.contains(name))
    fail("{}: '{}' is missing from the state of the minimiser", where, name);
  return json[name];
}

Vector vector_member(const Json& json, const char* name, Eigen::Index size, const std::string& where) {
  const Matrix row = matrix_from_json(member(json, name, where), where, name);
  if (row.rows() != 1 || row.cols() != size) {
    fail("{}: {} holds {} x {} numbers where this network needs 1 x {}", where, name, row.rows(), row.cols(), size);
  }
  return row.transpose();
}

template <class T>
T number_member(const Json& json, const char* name, const std::string& where) {
  T value{};
  detail::read_value(member(json, name, where), value, any_value, where, name);
  return value;
}

}  // namespace

void LevenbergMarquardt::restore(const Json& json, const std::string& where) {
  params_ = vector_member(json, "params", params_.size(), where);
  const Vector scale = vector_member(json, "scale", params_.size(), where);
  damping_ = number_member<double>(json, "damping", where);
  growth_ = number_member<double>(json, "growth", where);
  iterations_ = number_member<int>(json, "iterations", where);
  stop_ = LmStop::running;
  cost_ = evaluate(params_, true);
  scale_ = scale;
}

LmResult levenberg_marquardt(const LeastSquares& problem, Vector start, const LmOptions& options,
                             const std::function<bool(int, const Vector&, double)>& callback) {
  LevenbergMarquardt minimiser(problem, std::move(start), options);
  LmStop stop = LmStop::running;
  double cost = minimiser.cost();
  while (stop == LmStop::running) {
    if (cancelled()) {
      stop = LmStop::cancelled;
    } else if (!minimiser.step()) {
      stop = minimiser.stop();
    } else if (minimiser.cost() != cost) {
      cost = minimiser.cost();
      if (callback && !callback(minimiser.iterations(), minimiser.params(), cost)) stop = LmStop::callback;
    }
  }
  return {minimiser.params(), minimiser.cost(), minimiser.iterations(), stop};
}

Adam::Adam(Eigen::Index parameters, const AdamOptions& options, std::int64_t total_steps)
    : options_(options),
      total_steps_(std::max<std::int64_t>(total_steps, 1)),
      mean_(Vector::Zero(parameters)),
      square_(Vector::Zero(parameters)) {}

double Adam::rate(std::int64_t step) const {
  const double total = static_cast<double>(total_steps_), done = static_cast<double>(step);
  const double warm = std::floor(options_.warm_up * total);
  if (done < warm) return options_.learning_rate * (done + 1) / warm;
  if (!options_.cosine) return options_.learning_rate;
  const double share = std::min(1.0, (done - warm) / std::max(1.0, total - warm));
  const double fall = 0.5 * (1 + std::cos(std::numbers::pi * share));
  return options_.learning_rate * (options_.final_rate + (1 - options_.final_rate) * fall);
}

void Adam::step(Vector& params, const Vector& gradient) {
  const double norm = gradient.norm();
  if (!std::isfinite(norm))
    fail("the gradient is no longer finite at step {}; use a smaller learning rate", steps_ + 1);
  const double clip = options_.clip_norm > 0 && norm > options_.clip_norm ? options_.clip_norm / norm : 1.0;
  const double lr = rate(steps_++);
  const double count = static_cast<double>(steps_);
  mean_ = options_.beta1 * mean_ + (1 - options_.beta1) * clip * gradient;
  square_.array() = options_.beta2 * square_.array() + (1 - options_.beta2) * clip * clip * gradient.array().square();
  const double mean_share = 1 - std::pow(options_.beta1, count);
  const double square_share = 1 - std::pow(options_.beta2, count);
  if (options_.weight_decay > 0) params *= 1 - lr * options_.weight_decay;
  params.array() -= lr / mean_share * mean_.array() / ((square_.array() / square_share).sqrt() + options_.epsilon);
}

Json Adam::to_json() const {
  Json json;
  json["steps"] = steps_;
  json["mean"] = matrix_json(mean_.transpose());
  json["square"] = matrix_json(square_.transpose());
  return json;
}

void Adam::restore(const Json& json, const std::string& where) {
  steps_ = number_member<std::int64_t>(json, "steps", where);
  mean_ = vector_member(json, "mean", mean_.size(), where);
  square_ = vector_member(json, "square", square_.size(), where);
}

GradientCheck check_jacobian(const std::function<Vector(const Vector&)>& function, const Vector& at,
                             const Matrix& jacobian, double step) {
  FILIGREE_ASSERT(jacobian.cols() == at.size());
  Matrix estimate(jacobian.rows(), jacobian.cols());
  Vector moved = at;
  const auto value = [&](Eigen::Index j, double shift) {
    moved[j] = at[j] + shift;
    Vector result = function(moved);
    moved[j] = at[j];
    return result;
  };
  for (Eigen::Index j = 0; j < at.size(); ++j) {
    estimate.col(j) =
        (8 * (value(j, step) - value(j, -step)) - (value(j, 2 * step) - value(j, -2 * step))) / (12 * step);
  }
  GradientCheck check;
  if (jacobian.size() == 0) return check;
  (jacobian - estimate).cwiseAbs().maxCoeff(&check.row, &check.column);
  check.given = jacobian(check.row, check.column);
  check.estimated = estimate(check.row, check.column);
  check.worst = std::abs(check.given - check.estimated) / std::max(1.0, estimate.cwiseAbs().maxCoeff());
  return check;
}

GradientCheck check_gradient(const std::function<double(const Vector&)>& function, const Vector& at,
                             const Vector& gradient, double step) {
  const auto vector_function = [&](const Vector& params) { return Vector::Constant(1, function(params)).eval(); };
  return check_jacobian(vector_function, at, gradient.transpose(), step);
}

}  // namespace filigree::dynamics
