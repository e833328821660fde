#include "dynamics/delay_polynomial.h"

#include <cmath>
#include <utility>

#include <Eigen/QR>

#include "base/error.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;

/// What is saved.
struct DelayPolynomialFile {
  std::string method = "delay_polynomial";
  DelayPolynomialOptions options;
  DelayFrame frame;
  std::vector<std::vector<double>> weights;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("method", self.method, "delay_polynomial");
    v.required("options", self.options, "settings of the fit");
    v.required("frame", self.frame, "coordinates and delay vector");
    v.required("weights", self.weights, "(coordinates, features): 1, linear, quadratic, …");
  }
};

/// All monomials up to a degree: each is an earlier one times one input.
class Monomials {
 public:
  Monomials(Index inputs, Index degree) {
    std::vector<Index> starts(static_cast<std::size_t>(inputs), 0);
    Index previous_end = 1;
    for (Index order = 1; order <= degree; ++order) {
      for (Index input = 0; input < inputs; ++input) {
        const Index start = 1 + static_cast<Index>(steps_.size());
        // Parents without an earlier input: each product then comes once.
        for (Index parent = starts[static_cast<std::size_t>(input)]; parent < previous_end; ++parent) {
          steps_.emplace_back(parent, input);
        }
        starts[static_cast<std::size_t>(input)] = start;
      }
      previous_end = count();
    }
  }

  Index count() const { return 1 + static_cast<Index>(steps_.size()); }

  void evaluate(const double* input, double* values) const {
    values[0] = 1;
    for (std::size_t i = 0; i < steps_.size(); ++i) values[i + 1] = values[steps_[i].first] * input[steps_[i].second];
  }

 private:
  std::vector<std::pair<Index, Index>> steps_;
};

class DelayPolynomialModel final : public DelayModel {
 public:
  DelayPolynomialModel(DelayFrame frame, DelayPolynomialOptions options, Matrix weights)
      : DelayModel(std::move(frame)),
        options_(options),
        monomials_(frame_.delay.count * frame_.dimension(), options.degree),
        weights_(std::move(weights)) {}

  std::string method() const override { return "delay_polynomial"; }

  Cost cost() const override {
    const std::int64_t features = weights_.cols();
    return {weights_.size(), features + 2 * weights_.size() + weights_.rows()};
  }

  std::vector<std::string> describe() const override {
    return {fmt::format("polynomials of degree {}, {} features of delay vectors of {}, ridge {}", options_.degree,
                        weights_.cols(), dynamics::describe(frame_.delay), options_.ridge)};
  }

  Json to_json() const override {
    return filigree::to_json(DelayPolynomialFile{"delay_polynomial", options_, frame_, rows_of(weights_)});
  }

 protected:
  Predictor predictor() const override {
    return [this, values = Vector(weights_.cols())](const Vector& input, Vector& increment) mutable {
      monomials_.evaluate(input.data(), values.data());
      increment.noalias() = weights_ * values;
    };
  }

 private:
  DelayPolynomialOptions options_;
  Monomials monomials_;
  Matrix weights_;  // (coordinates, features)
};

}  // namespace

double delay_polynomial_features(std::int64_t inputs, std::int64_t degree) {
  double count = 1;
  for (std::int64_t i = 1; i <= degree; ++i) count *= static_cast<double>(inputs + i) / static_cast<double>(i);
  return std::round(count);
}

ModelPtr fit_delay_polynomial(const Dataset& data, const DelayPolynomialOptions& options) {
  data.check(1);
  const double count = delay_polynomial_features(options.delay.count * data.dimension(), options.degree);
  if (count > 5000) fail("{} features are too many (at most 5000): lower degree or the delay's count", count);
  DelayFrame frame = delay_frame(data, options.delay, options.margin, options.normalise);
  const DelayPairs pairs = delay_pairs(data, frame.normaliser(), options.delay, {options.every, 0});
  const Monomials monomials(pairs.inputs.rows(), options.degree);
  const Index features = monomials.count(), rows = pairs.inputs.cols();
  if (rows < features && !(options.ridge > 0)) {
    fail("{} features need as many delay vectors or a ridge greater than 0; the data has {}", features, rows);
  }
  const Index ridge_rows = options.ridge > 0 ? features : 0;
  Matrix left = Matrix::Zero(rows + ridge_rows, features);
  Matrix right = Matrix::Zero(rows + ridge_rows, data.dimension());
  Vector values(features);
  for (Index i = 0; i < rows; ++i) {
    monomials.evaluate(pairs.inputs.col(i).data(), values.data());
    left.row(i) = values.transpose();
  }
  right.topRows(rows) = pairs.increments.transpose();
  left.bottomRows(ridge_rows).diagonal().setConstant(std::sqrt(options.ridge));
  const Eigen::HouseholderQR<Eigen::Ref<Matrix>> qr(left);
  Matrix weights = qr.solve(right).transpose();
  return std::make_unique<DelayPolynomialModel>(std::move(frame), options, std::move(weights));
}

ModelPtr load_delay_polynomial(const Json& json, const std::string& where) {
  DelayPolynomialFile file = from_json<DelayPolynomialFile>(json, where);
  file.frame.check(where);
  const double count = delay_polynomial_features(file.frame.delay.count * file.frame.dimension(), file.options.degree);
  if (count > 5000) fail("{}: {} features are too many (at most 5000)", where, count);
  Matrix weights = matrix_of(file.weights, where + ": weights", file.frame.dimension(), static_cast<Index>(count));
  return std::make_unique<DelayPolynomialModel>(std::move(file.frame), file.options, std::move(weights));
}

}  // namespace filigree::dynamics
