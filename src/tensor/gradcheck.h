#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/function.h"

/// Gradients by autograd against central differences. Public, so that whoever adds an operator can check it:
///
///     const auto result = tensor::gradcheck([](const auto& x) { return std::vector{at::softmax(x[0], -1)}; }, {x});
///     EXPECT_LT(result.worst, 1e-7) << result.where;
namespace filigree::tensor {

struct GradcheckOptions {
  double step = 1e-5;              ///< of the differences: about the cube root of float64's rounding
  int directions = 4;              ///< random directions through all inputs at once
  std::int64_t elements = 100000;  ///< of each input at most so many single elements are checked, evenly spread
  std::uint64_t seed = 0;
};

struct GradcheckResult {
  double worst = 0;          ///< largest |analytic − numeric| / max(1, |analytic|, |numeric|)
  std::string where;         ///< of the largest: "input 1 [2, 3]" or "direction 0"
  double analytic = 0;       ///< by autograd, there
  double numeric = 0;        ///< by the difference, there
  std::int64_t checked = 0;  ///< derivatives that were compared
};

/// The function's outputs, weighted with fixed random numbers and summed, are differentiated with respect to every
/// element of every floating-point input, and along random directions. Other inputs (indices, masks) are passed on.
/// Error where a floating-point input is not float64, where the function gives other values when it is called again
/// (set its random numbers inside it), where no output is floating-point, or where a value is not finite.
GradcheckResult gradcheck(const Function& function, const std::vector<at::Tensor>& inputs,
                          const GradcheckOptions& options = {});

}  // namespace filigree::tensor
