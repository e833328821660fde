#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/visit.h"
#include "dynamics/derivative.h"
#include "dynamics/library.h"
#include "dynamics/model.h"
#include "dynamics/sampled_flow.h"
#include "dynamics/sindy_solve.h"

/// SINDy: sparse identification of nonlinear dynamics (Brunton, Proctor, Kutz: PNAS 113, 2016).
namespace filigree::dynamics {

enum class SindyForm {
  derivative,  ///< x' = Ξᵀ θ(x, u), with x' by differentiation of the samples
  weak,        ///< the same, integrated against test functions, so that no derivative of noisy samples is taken
  map          ///< x[k+1] = Ξᵀ θ(x[k], u[k])
};

struct SindyOptions {
  SindyForm form = SindyForm::derivative;
  LibraryOptions library = {};
  DerivativeOptions derivative = {};
  SparseOptions sparse = {};
  bool sweep = false;                   ///< choose the threshold by validation
  std::vector<double> thresholds = {};  ///< to choose among; empty: 31 from 0.001 to 1 in equal ratios
  double validation = 0.2;              ///< share of every run, at its end, that the choice is made on
  double slack = 1e-6;                  ///< unexplained share of variance that a simpler model may have more
  int bags = 0;                         ///< ensemble: fits to rows drawn with replacement; 0 for one fit to all
  int dropped = 0;                      ///< ensemble: features left out of each fit, drawn anew
  double inclusion = 0.5;               ///< ensemble: share of fits that must have a term
  std::int64_t seed = 0;
  int weak_domains = 200;    ///< weak form: windows over all runs
  int weak_window = 101;     ///< weak form: samples in a window
  int weak_power = 6;        ///< weak form: test function (1 - s²)^power
  double tolerance = 1e-12;  ///< of the integration when forecasting

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("form", self.form, "what is fitted: the derivative, its weak form, or the map to the next sample");
    LibraryOptions::visit(self.library, v);
    DerivativeOptions::visit(self.derivative, v);
    SparseOptions::visit(self.sparse, v);
    v.optional("sweep", self.sweep, "whether the threshold is chosen by validation");
    v.optional("thresholds", self.thresholds, "thresholds to choose among", non_negative);
    v.optional("validation", self.validation, "share of every run that the choice is made on", between(0.01, 0.9));
    v.optional("slack", self.slack, "unexplained share of variance that a simpler model may have more", non_negative);
    v.optional("bags", self.bags, "fits of the ensemble; 0: one fit to all rows", between(0, 100000));
    v.optional("dropped", self.dropped, "features left out of each fit of the ensemble", non_negative);
    v.optional("inclusion", self.inclusion, "share of the ensemble's fits that must have a term", fraction);
    v.optional("seed", self.seed, "of the ensemble's random numbers");
    v.optional("weak_domains", self.weak_domains, "windows of the weak form", between(1, 1000000));
    v.optional("weak_window", self.weak_window, "samples in a window of the weak form", between(5, 100000));
    v.optional("weak_power", self.weak_power, "test function (1 - s^2)^power", between(1, 30));
    v.optional("tolerance", self.tolerance, "of the integration when forecasting", between(1e-14, 0.1));
  }
};

/// One threshold of a sweep.
struct SweepPoint {
  double threshold = 0;
  Eigen::Index terms = 0;
  double unexplained = 0;  ///< mean over targets of squared error / variance on the validation part
};

/// What a fit found out beside the coefficients; not kept in JSON.
struct SindyReport {
  double score = 0;                  ///< R² of the targets, mean over targets
  std::vector<SparseRound> history;  ///< rounds of thresholding of the (last) fit
  std::vector<std::string> warnings;
  std::vector<SweepPoint> sweep;
  Matrix inclusion;  ///< (features, targets): share of the ensemble's fits with this term
  Matrix deviation;  ///< (features, targets): standard deviation over the ensemble
};

class SindyModel : public Model {
 public:
  std::string method() const override { return "sindy"; }
  using Model::forecast;
  /// Controls are interpolated by cubics between samples (continuous forms).
  Matrix forecast(const Matrix& past, Eigen::Index steps, const Matrix& controls) const override;
  Cost cost() const override;
  std::vector<std::string> describe() const override;
  Json to_json() const override;

  /// (features, coordinates).
  const Matrix& coefficients() const { return coefficients_; }
  const std::vector<std::string>& features() const { return library_.names(); }
  const SindyOptions& options() const { return options_; }
  const SindyReport& report() const { return report_; }

  /// "x' = -9.99969193 x + 9.99961547 y", one a coordinate.
  std::vector<std::string> equations(int digits = 9) const;

 private:
  friend SindyModel identify_sindy(const Dataset&, const SindyOptions&);
  friend SindyModel sindy_from_json(const Json&, const std::string&);
  SindyModel(const Dataset& names, const SindyOptions& options, Library library)
      : names_(names.names),
        control_names_(names.control_names),
        dt_(names.dt),
        options_(options),
        library_(std::move(library)) {}
  void set_coefficients(Matrix coefficients);
  void measure_cost(const Dataset& data);
  Matrix forecast_map(const Vector& start, Eigen::Index steps, const Matrix& controls) const;
  SampledFlow forecast_flow(const Vector& start, Eigen::Index steps, const Matrix& controls) const;

  std::vector<std::string> names_, control_names_;
  double dt_;
  SindyOptions options_;
  Library library_;
  Matrix coefficients_;
  double evaluations_ = 1;       // of the right-hand side, for one sample
  std::vector<Library> active_;  // one library: the features in use
  Matrix active_coefficients_;   // (coordinates, features in use)
  SindyReport report_;
};

/// Fits. Runs may be of unequal lengths; controls are further variables of the library. Error on data that check()
/// refuses, on runs shorter than the stencil or the window, and on options that contradict each other.
SindyModel identify_sindy(const Dataset& data, const SindyOptions& options);

ModelPtr fit_sindy(const Dataset& data, const SindyOptions& options);
SindyModel sindy_from_json(const Json& json, const std::string& where);
ModelPtr load_sindy(const Json& json, const std::string& where);

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::SindyForm> {
  using E = filigree::dynamics::SindyForm;
  static constexpr std::array<std::pair<E, std::string_view>, 3> table{
      {{E::derivative, "derivative"}, {E::weak, "weak"}, {E::map, "map"}}};
};
