#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <Eigen/Core>

#include "base/json.h"
#include "base/visit.h"
#include "dynamics/data.h"

/// Minimisers over one flat vector of parameters: Levenberg–Marquardt for sums of squares and Adam for the rest, with
/// the checks of their gradients.
namespace filigree::dynamics {

/// A sum of squares, cost = ½ Σ r_i(p)².
///
/// accumulate(p, jtj, jtr) returns the cost at p. Where the pointers are not null it also *sets* jtr = J^T r and the
/// lower triangle of jtj = J^T J, with J_ij = ∂r_i/∂p_j; what stands above the diagonal is not read. A cost that is not
/// finite means that p is out of bounds: the step that led there is refused. Residuals need never exist at once: see
/// NormalEquations.
struct LeastSquares {
  Eigen::Index parameters = 0;
  std::function<double(const Vector& params, Matrix* jtj, Vector* jtr)> accumulate;
};

/// Collects J^T J, J^T r and ½ r^T r from blocks of rows.
class NormalEquations {
 public:
  explicit NormalEquations(Eigen::Index parameters);

  void clear();
  /// jacobian: (rows, parameters); residuals: (rows).
  void add(const Eigen::Ref<const Matrix>& jacobian, const Eigen::Ref<const Vector>& residuals);
  void add(const NormalEquations& other);

  const Matrix& jtj() const { return jtj_; }  ///< lower triangle
  const Vector& jtr() const { return jtr_; }
  double cost() const { return cost_; }

 private:
  Matrix jtj_;
  Vector jtr_;
  double cost_ = 0;
};

/// Blocks whose numbers are equal modulo this never run at once, so scratch may be kept for each remainder.
inline constexpr Eigen::Index kBlockLanes = 8;

/// A least-squares problem whose residuals come in blocks that do not depend on each other.
///
/// evaluate(block, p, r, J) sizes and fills r, and J (rows, parameters) where J is not null. Calls for different blocks
/// may run at once. The result does not depend on the number of threads: blocks are summed in a fixed tree.
LeastSquares least_squares_in_blocks(
    Eigen::Index parameters, Eigen::Index blocks,
    std::function<void(Eigen::Index block, const Vector& params, Vector& residuals, Matrix* jacobian)> evaluate,
    int threads = 1);

struct LmOptions {
  int iterations = 100;               // of accepted or refused steps
  double initial_damping = 1e-3;      // relative to the scaled diagonal of J^T J
  double gradient_tolerance = 1e-12;  // stop where every |gradient entry| is at most this
  double step_tolerance = 1e-12;      // stop where the step is this small beside the parameters
  double cost_tolerance = 1e-12;      // stop where a step promises less than this share of the cost
  double ridge = 0;                   // adds ½ · ridge · ‖p‖² to the cost

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("iterations", self.iterations, "steps at most", non_negative);
    v.optional("initial_damping", self.initial_damping, "damping of the first step", positive);
    v.optional("gradient_tolerance", self.gradient_tolerance, "stop at this largest gradient entry", non_negative);
    v.optional("step_tolerance", self.step_tolerance, "stop at this relative step", non_negative);
    v.optional("cost_tolerance", self.cost_tolerance, "stop at this relative gain", non_negative);
    v.optional("ridge", self.ridge, "weight of half the squared norm of the parameters", non_negative);
  }
};

enum class LmStop { running, gradient, step, cost, iterations, callback, cancelled, stuck };
std::string lm_stop_text(LmStop stop);

struct LmResult {
  Vector params;
  double cost = 0;  ///< with the ridge
  int iterations = 0;
  LmStop stop = LmStop::running;
};

/// Levenberg–Marquardt, one step at a time, so that a caller may look at a validation set or save between steps.
///
/// Solves (J^T J + ridge + μ D) s = -gradient by Cholesky, with D the largest diagonal of J^T J seen so far (Moré: The
/// Levenberg-Marquardt algorithm, 1978), and μ steered by the gain ratio (Nielsen: Damping parameter in Marquardt's
/// method, IMM-REP-1999-05).
class LevenbergMarquardt {
 public:
  LevenbergMarquardt(const LeastSquares& problem, Vector start, const LmOptions& options);

  /// Tries one step. False when it shall stop, with the reason in stop().
  bool step();

  const Vector& params() const { return params_; }
  double cost() const { return cost_; }
  int iterations() const { return iterations_; }
  LmStop stop() const { return stop_; }

  /// All of the state; a minimiser restored from it continues bit for bit.
  Json to_json() const;
  void restore(const Json& json, const std::string& where);

 private:
  double evaluate(const Vector& params, bool derivatives);
  bool end(LmStop stop);
  void refuse();

  const LeastSquares& problem_;
  LmOptions options_;
  Vector params_, gradient_, scale_, trial_, step_;
  Matrix jtj_, damped_;
  double cost_ = 0, damping_ = 0, growth_ = 2;
  int iterations_ = 0;
  LmStop stop_ = LmStop::running;
};

/// Runs to the end. `callback(iteration, params, cost)` is called after every accepted step and stops the work by
/// returning false; so does a cancellation (base/cancel.h). Error where the cost at the start is not finite.
LmResult levenberg_marquardt(const LeastSquares& problem, Vector start, const LmOptions& options = {},
                             const std::function<bool(int, const Vector&, double)>& callback = {});

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  // decoupled (AdamW)
  double clip_norm = 0;     // largest norm of a gradient; 0 for none
  double warm_up = 0;       // share of all steps in which the rate rises to its full value
  bool cosine = false;      // then falls as a half cosine to final_rate
  double final_rate = 0;    // share of learning_rate at the end of the cosine

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("learning_rate", self.learning_rate, "step size", positive);
    v.optional("beta1", self.beta1, "memory of the mean", fraction);
    v.optional("beta2", self.beta2, "memory of the square", fraction);
    v.optional("epsilon", self.epsilon, "keeps the division safe", positive);
    v.optional("weight_decay", self.weight_decay, "decoupled decay (AdamW)", non_negative);
    v.optional("clip_norm", self.clip_norm, "largest norm of a gradient; 0 for none", non_negative);
    v.optional("warm_up", self.warm_up, "share of the steps in which the rate rises", fraction);
    v.optional("cosine", self.cosine, "the rate falls as a half cosine");
    v.optional("final_rate", self.final_rate, "share of the rate at the end of the cosine", fraction);
  }
};

/// Adam (Kingma, Ba 2015) with decoupled weight decay (Loshchilov, Hutter 2019).
class Adam {
 public:
  Adam(Eigen::Index parameters, const AdamOptions& options, std::int64_t total_steps);

  /// Changes params by one step along the gradient. Error where the gradient is not finite.
  void step(Vector& params, const Vector& gradient);

  /// Rate of the step numbered from 0.
  double rate(std::int64_t step) const;
  std::int64_t steps() const { return steps_; }

  Json to_json() const;
  void restore(const Json& json, const std::string& where);

 private:
  AdamOptions options_;
  std::int64_t total_steps_, steps_ = 0;
  Vector mean_, square_;
};

/// The entry where a gradient and its estimate by differences are farthest apart.
struct GradientCheck {
  double worst = 0;  ///< |given - estimated| / max(1, largest |estimated|)
  Eigen::Index row = 0, column = 0;
  double given = 0, estimated = 0;
};

/// Compares with central differences of fourth order, whose own error is about 1e-11 where function and parameters are
/// of order 1.
GradientCheck check_gradient(const std::function<double(const Vector&)>& function, const Vector& at,
                             const Vector& gradient, double step = 1e-3);
GradientCheck check_jacobian(const std::function<Vector(const Vector&)>& function, const Vector& at,
                             const Matrix& jacobian, double step = 1e-3);

}  // namespace filigree::dynamics
