#include "dynamics/kernel.h"

#include <cmath>
#include <utility>

#include <Eigen/Cholesky>

#include "base/error.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;

/// What is saved.
struct KernelFile {
  std::string method = "kernel";
  KernelOptions options;
  DelayFrame frame;
  std::vector<std::vector<double>> inputs, weights;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("method", self.method, "kernel");
    v.required("options", self.options, "settings of the fit");
    v.required("frame", self.frame, "coordinates and delay vector");
    v.required("inputs", self.inputs, "delay vectors in columns");
    v.required("weights", self.weights, "one row for each coordinate");
  }
};

/// Squared distances, divided by length² · d, become values of the kernel, in place.
template <class Derived>
void apply_shape(KernelShape shape, Eigen::ArrayBase<Derived>& squared) {
  if (shape == KernelShape::gaussian) {
    squared = (-0.5 * squared.max(0)).exp();
  } else {
    squared = (5 * squared.max(0)).sqrt();
    squared = (1 + squared + squared.square() / 3) * (-squared).exp();
  }
}

/// The kernel of all pairs of delay vectors, its lower triangle only: the rest is not set.
Matrix kernel_matrix(const Matrix& inputs, const KernelOptions& options) {
  const double unit = options.length * options.length * static_cast<double>(inputs.rows());
  const Vector squares = inputs.colwise().squaredNorm();
  const Index count = inputs.cols();
  Matrix kernel(count, count);
  kernel.triangularView<Eigen::Lower>() = inputs.transpose() * inputs;
  for (Index j = 0; j < count; ++j) {
    auto column = kernel.col(j).tail(count - j).array();
    column = (squares.tail(count - j).array() + squares[j] - 2 * column) / unit;
    apply_shape(options.shape, column);
  }
  return kernel;
}

class KernelModel final : public DelayModel {
 public:
  KernelModel(DelayFrame frame, KernelOptions options, const Matrix& inputs, Matrix weights)
      : DelayModel(std::move(frame)),
        options_(options),
        inputs_(inputs.transpose()),
        squares_(inputs_.rowwise().squaredNorm()),
        weights_(std::move(weights)) {}

  std::string method() const override { return "kernel"; }

  Cost cost() const override {
    const std::int64_t pairs = inputs_.rows(), size = inputs_.cols(), dimension = weights_.rows();
    return {pairs * dimension, pairs * (2 * size + 8 + 2 * dimension)};
  }

  std::vector<std::string> describe() const override {
    return {fmt::format("{} kernel of length {}, ridge {}, {} delay vectors of {}", enum_name(options_.shape),
                        options_.length, options_.ridge, inputs_.rows(), dynamics::describe(frame_.delay))};
  }

  Json to_json() const override {
    return filigree::to_json(KernelFile{"kernel", options_, frame_, rows_of(inputs_.transpose()), rows_of(weights_)});
  }

 protected:
  Predictor predictor() const override {
    const double unit = options_.length * options_.length * static_cast<double>(inputs_.cols());
    return [this, unit, values = Eigen::ArrayXd(inputs_.rows())](const Vector& input, Vector& increment) mutable {
      values.matrix().noalias() = inputs_ * input;
      values = (squares_.array() - 2 * values + input.squaredNorm()) / unit;
      apply_shape(options_.shape, values);
      increment.noalias() = weights_ * values.matrix();
    };
  }

 private:
  KernelOptions options_;
  Matrix inputs_;  // (pairs, size): so the product with a delay vector runs over contiguous columns
  Vector squares_;
  Matrix weights_;  // (coordinates, pairs)
};

}  // namespace

ModelPtr fit_kernel(const Dataset& data, const KernelOptions& options) {
  data.check(1);
  DelayFrame frame = delay_frame(data, options.delay, options.margin);
  const DelayPairs pairs = delay_pairs(data, frame.normaliser(), options.delay, {options.every, 1000});
  Matrix kernel = kernel_matrix(pairs.inputs, options);
  kernel.diagonal().array() += options.ridge;
  const Eigen::LLT<Eigen::Ref<Matrix>> cholesky(kernel);
  if (cholesky.info() != Eigen::Success) {
    fail("the kernel matrix of {} delay vectors is not positive definite: raise ridge (now {})", kernel.rows(),
         options.ridge);
  }
  Matrix weights = cholesky.solve(pairs.increments.transpose()).transpose();
  return std::make_unique<KernelModel>(std::move(frame), options, pairs.inputs, std::move(weights));
}

ModelPtr load_kernel(const Json& json, const std::string& where) {
  KernelFile file = from_json<KernelFile>(json, where);
  file.frame.check(where);
  const Index dimension = file.frame.dimension();
  const Matrix inputs = matrix_of(file.inputs, where + ": inputs", file.frame.delay.count * dimension);
  Matrix weights = matrix_of(file.weights, where + ": weights", dimension, inputs.cols());
  return std::make_unique<KernelModel>(std::move(file.frame), file.options, inputs, std::move(weights));
}

}  // namespace filigree::dynamics
