#pragma once

#include <array>
#include <complex>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/visit.h"
#include "dynamics/model.h"
#include "dynamics/singular_rank.h"

/// Dynamic mode decomposition: the linear operator that best advances the samples, by its modes.
namespace filigree::dynamics {

enum class DmdVariant {
  exact,             ///< Tu et al. 2014: modes X' V Σ⁻¹ W
  projected,         ///< Schmid 2010: modes U W
  total,             ///< total least squares: noise in both snapshots (Hemati et al. 2017)
  forward_backward,  ///< geometric mean of forward and inverse backward operators (Dawson et al. 2016)
  optimised,         ///< exponentials fitted to all samples by variable projection (Askham, Kutz 2018)
  bagged             ///< the same over random subsets of samples (Sashidhar, Kutz 2022: BOP-DMD)
};

/// What the continuous eigenvalues of the optimised fits may be.
enum class EigenvalueRule { any, stable, imaginary };

struct DmdOptions {
  DmdVariant variant = DmdVariant::exact;
  RankOptions rank = {};
  int delays = 1;             ///< samples stacked into one state (Hankel DMD); 1 for none
  EigenvalueRule eigenvalues = EigenvalueRule::any;
  int max_iterations = 30;    ///< Levenberg–Marquardt steps (optimised, bagged)
  double tolerance = 1e-6;    ///< relative residual at which they stop
  int trials = 100;           ///< bagged: subsets
  double trial_share = 0.6;   ///< bagged: share of the samples in one subset
  std::int64_t seed = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("variant", self.variant, "how the operator is found");
    RankOptions::visit(self.rank, v);
    v.optional("delays", self.delays, "samples stacked into one state; 1 for none", between(1, 10000));
    v.optional("eigenvalues", self.eigenvalues, "what the eigenvalues of an optimised fit may be");
    v.optional("max_iterations", self.max_iterations, "Levenberg-Marquardt steps", between(1, 10000));
    v.optional("tolerance", self.tolerance, "relative residual at which they stop", positive);
    v.optional("trials", self.trials, "subsets of a bagged fit", between(1, 100000));
    v.optional("trial_share", self.trial_share, "share of the samples in one subset", positive_fraction);
    v.optional("seed", self.seed, "of the subsets");
  }
};

using Complex = std::complex<double>;
using ComplexVector = Eigen::VectorXcd;
using ComplexMatrix = Eigen::MatrixXcd;

/// The eigenvalues and modes of a fit, largest amplitude first.
struct DmdSpectrum {
  ComplexVector eigenvalues;  ///< per sample: |λ| > 1 grows
  ComplexVector rates;        ///< log(λ) / dt: growth + i angular frequency per unit of time
  ComplexMatrix modes;        ///< (delays * coordinates, rank), unit length; the newest sample's block last
  Vector amplitudes;          ///< of the modes in the first snapshot of the first run
  Vector rate_deviation;      ///< bagged alone: standard deviation of the rates over the subsets
  Vector singular_values;     ///< of the snapshots
  Eigen::Index rows = 0, columns = 0;  ///< of the matrix of snapshots
  double relative_residual = 0;  ///< optimised and bagged: of the fit to all samples
};

/// z0 = encode · stacked past; z ← step · z + drive · u; sample = decode · z. Real, of the size of the rank.
struct DmdOperator {
  Matrix encode;   ///< (rank, delays * coordinates)
  Matrix step;     ///< (rank, rank)
  Matrix drive;    ///< (rank, controls)
  Matrix decode;   ///< (coordinates, rank)
  /// Exact DMD decodes before it steps: its modes X' V Σ⁻¹ W lie in the space of the *next* snapshots.
  bool decode_first = false;
};

class DmdModel : public Model {
 public:
  std::string method() const override { return "dmd"; }
  Eigen::Index history() const override { return options_.delays; }
  using Model::forecast;
  Matrix forecast(const Matrix& past, Eigen::Index steps, const Matrix& controls) const override;
  Cost cost() const override;
  std::vector<std::string> describe() const override;
  Json to_json() const override;

  const DmdSpectrum& spectrum() const { return spectrum_; }
  const DmdOperator& linear() const { return operator_; }
  const DmdOptions& options() const { return options_; }

 private:
  friend DmdModel identify_dmd(const Dataset&, const DmdOptions&);
  friend DmdModel dmd_from_json(const Json&, const std::string&);
  DmdModel() = default;

  std::vector<std::string> names_, control_names_;
  double dt_ = 1;
  DmdOptions options_;
  DmdOperator operator_;
  DmdSpectrum spectrum_;
};

/// Fits. Controls make it DMD with control (Proctor, Brunton, Kutz 2016), with the variants exact and projected, which
/// are then the same. Error on runs with fewer than delays + 1 samples and on controls with another variant.
DmdModel identify_dmd(const Dataset& data, const DmdOptions& options);

ModelPtr fit_dmd(const Dataset& data, const DmdOptions& options);
DmdModel dmd_from_json(const Json& json, const std::string& where);
ModelPtr load_dmd(const Json& json, const std::string& where);

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::DmdVariant> {
  using E = filigree::dynamics::DmdVariant;
  static constexpr std::array<std::pair<E, std::string_view>, 6> table{{{E::exact, "exact"},
                                                                        {E::projected, "projected"},
                                                                        {E::total, "total"},
                                                                        {E::forward_backward, "forward_backward"},
                                                                        {E::optimised, "optimised"},
                                                                        {E::bagged, "bagged"}}};
};

template <>
struct filigree::EnumNames<filigree::dynamics::EigenvalueRule> {
  using E = filigree::dynamics::EigenvalueRule;
  static constexpr std::array<std::pair<E, std::string_view>, 3> table{
      {{E::any, "any"}, {E::stable, "stable"}, {E::imaginary, "imaginary"}}};
};
