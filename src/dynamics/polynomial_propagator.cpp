#include "dynamics/polynomial_propagator.h"

#include <cmath>
#include <limits>

#include <Eigen/QR>

#include "dynamics/polynomial_basis.h"

namespace filigree::dynamics {
namespace {

/// What a file keeps of a fitted model.
struct Stored {
  std::string method;
  int degree = 0;
  bool increments = true;
  int controls = 0;
  std::vector<double> centre;
  std::vector<std::vector<double>> transform;
  std::vector<std::vector<double>> coefficients;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("method", self.method, "polynomial_propagator");
    v.required("degree", self.degree, "total degree", between(1, 30));
    v.required("increments", self.increments, "whether the polynomial is the increment");
    v.required("controls", self.controls, "inputs that are controls", non_negative);
    v.required("centre", self.centre, "middle of the box");
    v.required("transform", self.transform, "from the inputs to the box");
    v.required("coefficients", self.coefficients, "(terms, coordinates)");
  }
};

class PolynomialPropagator : public Model {
 public:
  PolynomialPropagator(PolynomialBasis basis, Matrix coefficients, bool increments)
      : basis_(std::move(basis)), coefficients_(std::move(coefficients)), increments_(increments) {}

  std::string method() const override { return "polynomial_propagator"; }

  Matrix forecast(const Matrix& past, Eigen::Index steps, const Matrix& controls) const override {
    const Eigen::Index size = dimension();
    check_forecast(past, steps, size);
    if (num_controls() > 0 && (controls.cols() != num_controls() || controls.rows() < steps)) {
      fail("the {} model needs {} controls for each of the {} steps; {} rows of {} are given", method(), num_controls(),
           steps, controls.rows(), controls.cols());
    }
    Matrix result(steps, size);
    Vector point(basis_.inputs()), values(basis_.terms()), scratch(basis_.scratch_size()), change(size);
    point.head(size) = past.row(past.rows() - 1).transpose();
    for (Eigen::Index i = 0; i < steps; ++i) {
      if (num_controls() > 0) point.tail(num_controls()) = controls.row(i).transpose();
      basis_.evaluate(point.data(), values.data(), scratch.data());
      change.noalias() = coefficients_.transpose() * values;
      if (increments_)
        point.head(size) += change;
      else
        point.head(size) = change;
      if (!point.head(size).allFinite()) {
        result.bottomRows(steps - i).setConstant(std::numeric_limits<double>::quiet_NaN());
        break;
      }
      result.row(i) = point.head(size).transpose();
    }
    return result;
  }

  Cost cost() const override {
    const std::int64_t terms = basis_.terms(), inputs = basis_.inputs(), size = dimension();
    const std::int64_t box = inputs + 2 * inputs * inputs;
    const std::int64_t chebyshev = 3 * inputs * std::max(0, basis_.degree() - 1);
    return {terms * size + inputs + inputs * inputs, box + chebyshev + terms - 1 + 2 * terms * size + size};
  }

  std::vector<std::string> describe() const override {
    return {fmt::format("polynomial of degree {} with {} terms for each of {} coordinates", basis_.degree(),
                        basis_.terms(), dimension()),
            increments_ ? "fitted to the increments" : "fitted to the next samples",
            fmt::format("largest coefficient {:.3g}", coefficients_.cwiseAbs().maxCoeff())};
  }

  Json to_json() const override {
    Json json;
    json["method"] = method();
    json["degree"] = basis_.degree();
    json["increments"] = increments_;
    json["controls"] = num_controls();
    const Vector& centre = basis_.box().centre;
    json["centre"] = std::vector<double>(centre.begin(), centre.end());
    json["transform"] = matrix_json(basis_.box().transform);
    json["coefficients"] = matrix_json(coefficients_);
    return json;
  }

 private:
  Eigen::Index dimension() const { return coefficients_.cols(); }
  Eigen::Index num_controls() const { return basis_.inputs() - dimension(); }

  PolynomialBasis basis_;
  Matrix coefficients_;  ///< (terms, coordinates)
  bool increments_;
};

struct Pairs {
  Matrix inputs;   ///< (pairs, coordinates + controls)
  Matrix targets;  ///< (pairs, coordinates)
};

Pairs pairs_of(const Dataset& data, bool increments) {
  const Eigen::Index size = data.dimension(), controls = data.num_controls();
  const Eigen::Index count = data.num_samples() - static_cast<Eigen::Index>(data.runs.size());
  Pairs pairs{Matrix(count, size + controls), Matrix(count, size)};
  Eigen::Index row = 0;
  for (const Trajectory& run : data.runs) {
    const Eigen::Index steps = run.states.rows() - 1;
    pairs.inputs.block(row, 0, steps, size) = run.states.topRows(steps);
    if (controls > 0) pairs.inputs.block(row, size, steps, controls) = run.controls.topRows(steps);
    pairs.targets.middleRows(row, steps) = run.states.bottomRows(steps);
    if (increments) pairs.targets.middleRows(row, steps) -= run.states.topRows(steps);
    row += steps;
  }
  return pairs;
}

/// targets - design · solution with every sum in extended precision.
Matrix residual(const Matrix& design, const Matrix& solution, const Matrix& targets) {
  Matrix result(targets.rows(), targets.cols());
  std::vector<long double> sums(static_cast<std::size_t>(targets.rows()));
  for (Eigen::Index j = 0; j < targets.cols(); ++j) {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = targets(static_cast<Eigen::Index>(i), j);
    for (Eigen::Index k = 0; k < design.cols(); ++k) {
      const long double weight = solution(k, j);
      const double* column = design.col(k).data();
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] -= weight * column[i];
    }
    for (std::size_t i = 0; i < sums.size(); ++i)
      result(static_cast<Eigen::Index>(i), j) = static_cast<double>(sums[i]);
  }
  return result;
}

/// Least squares by Householder QR with columns of norm 1; with pivoting, and the smallest solution, where the columns
/// turn out to depend on each other (data on a curve or a surface).
Matrix least_squares(Matrix design, const Matrix& targets, int refinements) {
  Vector norm = design.colwise().norm().transpose();
  for (double& value : norm) {
    if (!(value > 0)) value = 1;
  }
  design.array().rowwise() /= norm.transpose().array();
  Matrix factor = design;
  const Eigen::HouseholderQR<Eigen::Ref<Matrix>> qr(factor);
  const Vector diagonal = factor.diagonal().cwiseAbs();
  const double limit = 1e-14 * diagonal.maxCoeff();
  Matrix solution;
  if (diagonal.minCoeff() > limit) {
    solution = qr.solve(targets);
    for (int round = 0; round < refinements; ++round) solution += qr.solve(residual(design, solution, targets));
  } else {
    Eigen::ColPivHouseholderQR<Matrix> pivoted(design);
    pivoted.setThreshold(1e-13);
    solution = pivoted.solve(targets);
  }
  return solution.array().colwise() / norm.array();
}

}  // namespace

ModelPtr fit_polynomial_propagator(const Dataset& data, const PolynomialPropagatorOptions& options) {
  data.check(2);
  const Pairs pairs = pairs_of(data, options.increments);
  const double terms = PolynomialBasis::count(pairs.inputs.cols(), options.degree);
  if (static_cast<double>(pairs.inputs.rows()) < terms) {
    fail("a polynomial of degree {} in {} inputs has {} terms, more than the {} pairs of samples; lower the degree",
         options.degree, pairs.inputs.cols(), terms, pairs.inputs.rows());
  }
  PolynomialBasis basis(Box::around(pairs.inputs), options.degree);
  Matrix coefficients = least_squares(basis.design(pairs.inputs), pairs.targets, options.refinements);
  return std::make_unique<PolynomialPropagator>(std::move(basis), std::move(coefficients), options.increments);
}

ModelPtr load_polynomial_propagator(const Json& json, const std::string& where) {
  const Stored stored = from_json<Stored>(json, where);
  const Matrix transform = matrix_from_json(json["transform"], where, "transform");
  Matrix coefficients = matrix_from_json(json["coefficients"], where, "coefficients");
  const auto inputs = static_cast<Eigen::Index>(stored.centre.size());
  const double terms = PolynomialBasis::count(inputs, stored.degree);
  if (transform.rows() != inputs || transform.cols() != inputs || coefficients.cols() + stored.controls != inputs ||
      static_cast<double>(coefficients.rows()) != terms) {
    fail("{}: the sizes of centre, transform and coefficients do not belong together; fit and save the model again",
         where);
  }
  const Box box{Eigen::Map<const Vector>(stored.centre.data(), inputs), transform};
  return std::make_unique<PolynomialPropagator>(PolynomialBasis(box, stored.degree), std::move(coefficients),
                                                stored.increments);
}

}  // namespace filigree::dynamics
