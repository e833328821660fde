#pragma once

#include <vector>

#include "dynamics/dmd.h"

namespace filigree::dynamics {

/// Samples of several runs at given times: X_i(t) ≈ Σ_j b_ij exp(α_j t), the rates α shared by all runs.
struct ExponentialProblem {
  struct Run {
    Vector times;   ///< from the run's start
    Matrix values;  ///< (times, coordinates)
  };
  std::vector<Run> runs;

  double squared_norm() const;
};

struct ExponentialFit {
  ComplexVector rates;
  std::vector<ComplexMatrix> coefficients;  ///< one a run: (rates, coordinates)
  double relative_residual = 0;
  int iterations = 0;
};

/// Least squares coefficients for given rates.
ExponentialFit fit_coefficients(const ExponentialProblem& problem, const ComplexVector& rates);

/// Variable projection with Levenberg–Marquardt (Askham, Kutz: SIAM J. Appl. Dyn. Syst. 17, 2018; PyDMD/PyDMD:
/// bopdmd.py has the same defaults): λ starts at 1, becomes λ max(1/3, 1 - (2ρ - 1)³) after a step that helped with ρ
/// the ratio of real to foreseen improvement, and is doubled up to 52 times for one that did not.
ExponentialFit fit_exponentials(const ExponentialProblem& problem, const ComplexVector& start,
                                const DmdOptions& options);

/// Half the gradient of the squared residual by the rates, Jᴴ r: for tests.
ComplexVector exponential_gradient(const ExponentialProblem& problem, const ComplexVector& rates);

/// Start by the trapezoid rule: eigenvalues of the A that fits (x[k+1] - x[k]) / dt = A (x[k] + x[k+1]) / 2.
ComplexVector trapezoid_rates(const ExponentialProblem& problem);

}  // namespace filigree::dynamics
