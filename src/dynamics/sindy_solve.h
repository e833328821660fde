#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/visit.h"
#include "dynamics/row_qr.h"

/// Sparse regression: few non-zero coefficients that explain the targets.
namespace filigree::dynamics {

enum class SparseMethod {
  stlsq,    ///< sequentially thresholded ridge regression as dynamicslab/pysindy: optimizers/stlsq.py
  brunton,  ///< Brunton, Proctor, Kutz 2016, sparsifyDynamics.m: least squares, ten rounds, |Ξ| < threshold is dropped
  sr3       ///< Zheng, Askham, Brunton, Kutz, Aravkin 2018: sparse relaxed regularised regression, hard threshold
};

struct SparseOptions {
  SparseMethod method = SparseMethod::stlsq;
  double threshold = 0.1;
  double ridge = 0.05;         ///< stlsq alone
  int max_iterations = 20;     ///< stlsq; sr3 takes 50 times as many; brunton always ten
  bool normalise = false;      ///< columns of the library to unit length, so that the threshold judges contributions
  bool unbias = true;          ///< least squares on the final support (stlsq and sr3)
  double relaxation = 1;       ///< sr3: how far the sparse copy may be from the fit

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("optimizer", self.method, "how sparse coefficients are found");
    v.optional("threshold", self.threshold, "least size of a coefficient", non_negative);
    v.optional("ridge", self.ridge, "weight of squared coefficients (stlsq)", non_negative);
    v.optional("max_iterations", self.max_iterations, "rounds of thresholding at most", between(1, 10000));
    v.optional("normalise", self.normalise, "whether columns of the library are scaled to unit length");
    v.optional("unbias", self.unbias, "whether a last least squares is made on the terms that are left");
    v.optional("relaxation", self.relaxation, "distance of the sparse copy from the fit (sr3)", positive);
  }
};

/// One round of thresholding, as dynamicslab/pysindy prints it.
struct SparseRound {
  double squared_error = 0;    ///< |Y - Θ Ξ|²
  double penalty = 0;          ///< ridge |Ξ|²
  Eigen::Index terms = 0;      ///< coefficients that are not 0
};

struct SparseResult {
  Matrix coefficients;               ///< (features, targets)
  std::vector<SparseRound> history;
  std::vector<std::string> warnings; ///< one sentence each
};

/// `targets` names the targets in warnings.
SparseResult solve_sparse(const Regression& problem, const SparseOptions& options,
                          const std::vector<std::string>& targets);

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::SparseMethod> {
  using E = filigree::dynamics::SparseMethod;
  static constexpr std::array<std::pair<E, std::string_view>, 3> table{
      {{E::stlsq, "stlsq"}, {E::brunton, "brunton"}, {E::sr3, "sr3"}}};
};
