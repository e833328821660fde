#include "tensor/gradcheck.h"

#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "base/error.h"
#include "base/random.h"
#include "tensor/safetensors_header.h"

namespace filigree::tensor {
namespace {

at::Tensor normal_like(const at::Tensor& shape, Random& random) {
  at::Tensor values = at::empty(shape.sizes(), at::kDouble);
  double* at = values.data_ptr<double>();
  for (std::int64_t i = 0; i < values.numel(); ++i) at[i] = random.normal();
  return values.to(shape.device());
}

/// "[2, 3]" from a position in the flat tensor.
std::string index_text(std::int64_t position, at::IntArrayRef shape) {
  std::vector<std::int64_t> index(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    index[axis] = position % shape[axis];
    position /= shape[axis];
  }
  return shape_text(index);
}

class Checker {
 public:
  Checker(const Function& function, const std::vector<at::Tensor>& inputs, const GradcheckOptions& options)
      : function_(function), options_(options), random_(options.seed) {
    if (!(options.step > 0)) fail("gradcheck: the step must be greater than 0, got {}", options.step);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const at::Tensor& input = inputs[i];
      if (input.defined() && input.is_floating_point()) {
        if (input.scalar_type() != at::kDouble) {
          fail("gradcheck: input {} is {}, expected float64; differences of other types say little", i,
               c10::toString(input.scalar_type()));
        }
        real_.push_back(i);
      }
      inputs_.push_back(input.defined() ? input.detach().clone(at::MemoryFormat::Contiguous) : input);
    }
    if (real_.empty()) fail("gradcheck: no input is a floating-point tensor");
  }

  GradcheckResult run() {
    differentiate();
    if (value(inputs_) != value(inputs_)) {
      fail("gradcheck: the function gives other values when it is called again; set its random numbers inside it");
    }
    for (std::size_t k = 0; k < real_.size(); ++k) check_elements(k);
    for (int d = 0; d < options_.directions; ++d) check_direction(d);
    return result_;
  }

 private:
  /// The weighted sum of all floating-point outputs.
  at::Tensor weighted(const std::vector<at::Tensor>& inputs) {
    const std::vector<at::Tensor> outputs = function_(inputs);
    at::Tensor sum;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (!outputs[i].defined() || !outputs[i].is_floating_point()) continue;
      if (weights_.size() <= i) weights_.resize(outputs.size());
      if (!weights_[i].defined()) weights_[i] = normal_like(outputs[i], random_);
      const at::Tensor part = (outputs[i] * weights_[i]).sum();
      sum = sum.defined() ? sum + part : part;
    }
    if (!sum.defined()) fail("gradcheck: no output of the function is a floating-point tensor");
    return sum;
  }

  double value(const std::vector<at::Tensor>& inputs) {
    const c10::NoGradGuard no_grad;
    const double result = weighted(inputs).item<double>();
    if (!std::isfinite(result)) fail("gradcheck: the function's outputs are not all finite");
    return result;
  }

  void differentiate() {
    const c10::AutoGradMode with_grad(true);
    std::vector<at::Tensor> inputs = inputs_;
    std::vector<at::Tensor> leaves;
    for (const std::size_t i : real_) {
      inputs[i] = inputs_[i].detach().clone().requires_grad_(true);
      leaves.push_back(inputs[i]);
    }
    const at::Tensor sum = weighted(inputs);
    gradients_.resize(real_.size());
    if (sum.requires_grad()) {
      const auto found = torch::autograd::grad({sum}, leaves, {}, {}, false, /*allow_unused=*/true);
      gradients_.assign(found.begin(), found.end());
    }
    for (std::size_t k = 0; k < real_.size(); ++k) {
      const at::Tensor& input = inputs_[real_[k]];
      gradients_[k] = gradients_[k].defined() ? gradients_[k].to(at::kCPU, at::kDouble).contiguous()
                                              : at::zeros(input.sizes(), at::kDouble);
    }
  }

  void compare(double analytic, double numeric, const std::string& where) {
    ++result_.checked;
    const double error = std::abs(analytic - numeric) / std::max({1.0, std::abs(analytic), std::abs(numeric)});
    // Not a number counts as the worst of all.
    if (result_.where.empty() || !(error <= result_.worst)) {
      result_.worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
      result_.where = where;
      result_.analytic = analytic;
      result_.numeric = numeric;
    }
  }

  void check_elements(std::size_t k) {
    const std::size_t i = real_[k];
    at::Tensor flat = inputs_[i].view({-1});
    const std::int64_t count = flat.numel();
    const std::int64_t stride = std::max<std::int64_t>(1, (count + options_.elements - 1) / options_.elements);
    for (std::int64_t e = 0; e < count; e += stride) {
      const double before = flat[e].item<double>();
      const double high_at = before + options_.step, low_at = before - options_.step;
      flat[e].fill_(high_at);
      const double high = value(inputs_);
      flat[e].fill_(low_at);
      const double low = value(inputs_);
      flat[e].fill_(before);
      compare(gradients_[k].data_ptr<double>()[e], (high - low) / (high_at - low_at),
              fmt::format("input {} {}", i, index_text(e, inputs_[i].sizes())));
    }
  }

  void check_direction(int number) {
    std::vector<at::Tensor> high = inputs_, low = inputs_;
    double analytic = 0, squares = 0;
    std::vector<at::Tensor> direction;
    for (const std::size_t i : real_) {
      direction.push_back(normal_like(inputs_[i], random_));
      squares += direction.back().square().sum().item<double>();
    }
    // Of length one.
    const double scale = squares > 0 ? 1 / std::sqrt(squares) : 1;
    for (std::size_t k = 0; k < real_.size(); ++k) {
      const at::Tensor step = direction[k] * scale;
      analytic += (gradients_[k] * step.to(at::kCPU)).sum().item<double>();
      high[real_[k]] = inputs_[real_[k]] + options_.step * step;
      low[real_[k]] = inputs_[real_[k]] - options_.step * step;
    }
    compare(analytic, (value(high) - value(low)) / (2 * options_.step), fmt::format("direction {}", number));
  }

  const Function& function_;
  const GradcheckOptions& options_;
  Random random_;
  std::vector<at::Tensor> inputs_;
  std::vector<std::size_t> real_;      ///< which inputs are differentiated
  std::vector<at::Tensor> gradients_;  ///< of these
  std::vector<at::Tensor> weights_;    ///< of the outputs
  GradcheckResult result_;
};

}  // namespace

GradcheckResult gradcheck(const Function& function, const std::vector<at::Tensor>& inputs,
                          const GradcheckOptions& options) {
  return Checker(function, inputs, options).run();
}

}  // namespace filigree::tensor
