#include "dynamics/local_linear.h"

#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include <Eigen/Cholesky>

#include "base/error.h"
#include "dynamics/nearest.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;

/// What is saved.
struct LocalLinearFile {
  std::string method = "local_linear";
  LocalLinearOptions options;
  DelayFrame frame;
  std::vector<std::vector<double>> inputs, increments;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("method", self.method, "local_linear");
    v.required("options", self.options, "settings");
    v.required("frame", self.frame, "coordinates and delay vector");
    v.required("inputs", self.inputs, "delay vectors in columns");
    v.required("increments", self.increments, "what followed them");
  }
};

/// Normal equations of one local fit, in units of the distance that the weights reach to.
struct LocalFit {
  LocalFit(Index size, Index dimension)
      : gram(size + 1, size + 1), right(size + 1, dimension), row(size + 1), solver(size + 1) {}

  Matrix gram, right;
  Vector row;
  Eigen::LDLT<Matrix> solver;
  Nearest::Search search;
};

class LocalLinearModel final : public DelayModel {
 public:
  LocalLinearModel(DelayFrame frame, LocalLinearOptions options, const Matrix& inputs, Matrix increments)
      : DelayModel(std::move(frame)),
        options_(options),
        nearest_(inputs),
        inputs_(inputs),
        increments_(std::move(increments)) {}

  std::string method() const override { return "local_linear"; }

  Cost cost() const override {
    const std::int64_t pairs = inputs_.cols(), size = inputs_.rows(), dimension = increments_.rows();
    const std::int64_t fit = options_.neighbours * (size + 1) * (size + 1) + (size + 1) * (size + 1) * (size + 1) / 3;
    return {pairs * (size + dimension), pairs * (2 * size + 4) + fit};
  }

  std::vector<std::string> describe() const override {
    return {fmt::format("linear fits of {} neighbours among {} delay vectors of {}, ridge {}", options_.neighbours,
                        inputs_.cols(), dynamics::describe(frame_.delay), options_.ridge)};
  }

  Json to_json() const override {
    return filigree::to_json(LocalLinearFile{"local_linear", options_, frame_, rows_of(inputs_), rows_of(increments_)});
  }

 protected:
  Predictor predictor() const override {
    // Shared, as Eigen's solver cannot be copied before its first use; every forecast has a predictor of its own.
    return [this, fit = std::make_shared<LocalFit>(inputs_.rows(), increments_.rows())](
               const Vector& input, Vector& increment) { solve(input, increment, *fit); };
  }

 private:
  void solve(const Vector& input, Vector& increment, LocalFit& fit) const {
    nearest_.find(input, options_.neighbours, fit.search);
    const double limit =
        fit.search.found[static_cast<std::size_t>(options_.neighbours)].first + std::numeric_limits<double>::min();
    const double unit = 1 / std::sqrt(limit);
    fit.gram.setZero();
    fit.right.setZero();
    fit.row[0] = 1;
    for (std::size_t i = 0; i < static_cast<std::size_t>(options_.neighbours); ++i) {
      const auto [squared, column] = fit.search.found[i];
      const double closeness = 1 - squared / limit, weight = closeness * closeness;
      fit.row.tail(input.size()) = unit * (inputs_.col(column) - input);
      fit.gram.selfadjointView<Eigen::Lower>().rankUpdate(fit.row, weight);
      fit.right.noalias() += weight * fit.row * increments_.col(column).transpose();
    }
    const double total = fit.gram.trace();
    fit.gram.diagonal().tail(input.size()).array() += options_.ridge * total;
    fit.solver.compute(fit.gram);
    increment = fit.solver.solve(fit.right).row(0).transpose();
  }

  LocalLinearOptions options_;
  Nearest nearest_;
  Matrix inputs_;
  Matrix increments_;  // (coordinates, pairs)
};

}  // namespace

ModelPtr fit_local_linear(const Dataset& data, const LocalLinearOptions& options) {
  data.check(1);
  DelayFrame frame = delay_frame(data, options.delay, options.margin);
  DelayPairs pairs = delay_pairs(data, frame.normaliser(), options.delay, {});
  if (pairs.inputs.cols() <= options.neighbours) {
    fail("{} neighbours need {} delay vectors, the data has {}", options.neighbours, options.neighbours + 1,
         pairs.inputs.cols());
  }
  return std::make_unique<LocalLinearModel>(std::move(frame), options, pairs.inputs, std::move(pairs.increments));
}

ModelPtr load_local_linear(const Json& json, const std::string& where) {
  LocalLinearFile file = from_json<LocalLinearFile>(json, where);
  file.frame.check(where);
  const Index dimension = file.frame.dimension();
  const Matrix inputs = matrix_of(file.inputs, where + ": inputs", file.frame.delay.count * dimension);
  if (inputs.cols() <= file.options.neighbours) {
    fail("{}: {} neighbours need {} delay vectors, there are {}", where, file.options.neighbours,
         file.options.neighbours + 1, inputs.cols());
  }
  Matrix increments = matrix_of(file.increments, where + ": increments", dimension, inputs.cols());
  return std::make_unique<LocalLinearModel>(std::move(file.frame), file.options, inputs, std::move(increments));
}

}  // namespace filigree::dynamics
