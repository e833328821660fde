#pragma once

#include <array>

#include "dynamics/delay.h"

/// Kernel ridge regression on delay vectors: the mean of a Gaussian process. On clean data of a smooth system it
/// forecasts better than local methods.
namespace filigree::dynamics {

/// exp(-r²/2), or Matérn's kernel of order 5/2: (1 + √5 r + 5/3 r²) exp(-√5 r), with r = |a - b| / (length √d), where d
/// is the number of entries of a delay vector (Rasmussen, Williams: Gaussian Processes for Machine Learning, 2006, §4.2).
enum class KernelShape { gaussian, matern };

struct KernelOptions {
  Delay delay{10, 4, 1, LagPattern::uniform};
  KernelShape shape = KernelShape::matern;
  double length = 0.7;     ///< of the kernel, in standard deviations of the data
  double ridge = 1e-6;     ///< added to the diagonal of the kernel matrix
  std::int64_t every = 0;  ///< every n-th pair is kept; 0: so few that at most 1,000 remain
  double margin = 0.1;     ///< forecasts stay in the range of the data, widened by this part of it

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("delay", self.delay, "delay vector");
    v.optional("shape", self.shape, "gaussian or matern (order 5/2)");
    v.optional("length", self.length, "length of the kernel in standard deviations of the data", positive);
    v.optional("ridge", self.ridge, "added to the diagonal of the kernel matrix", positive);
    v.optional("every", self.every, "every n-th pair is kept; 0: at most 1,000", non_negative);
    v.optional("margin", self.margin, "forecasts stay in the range widened by this part of it", non_negative);
  }
};

/// Solves (K + ridge · 1) w = increments by Cholesky. Cost: pairs³ / 3 operations.
/// Error as delay_pairs(), or where ridge is too small for the matrix to be positive definite.
ModelPtr fit_kernel(const Dataset& data, const KernelOptions& options);
ModelPtr load_kernel(const Json& json, const std::string& where);

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::KernelShape> {
  static constexpr std::array<std::pair<filigree::dynamics::KernelShape, std::string_view>, 2> table{
      {{filigree::dynamics::KernelShape::gaussian, "gaussian"}, {filigree::dynamics::KernelShape::matern, "matern"}}};
};
