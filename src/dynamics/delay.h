#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/visit.h"
#include "dynamics/data.h"
#include "dynamics/model.h"

/// Delay vectors, and what the methods that forecast from them share: pairs of (delay vector, next increment), the
/// iterated forecast and its bounds. (Takens: Detecting strange attractors in turbulence, 1981.)
namespace filigree::dynamics {

/// How the lags of a delay vector grow: 0, s, 2s, 3s … or 0, s, 3s, 6s, 10s …
enum class LagPattern { uniform, growing };

/// Which earlier samples a forecast looks at.
struct Delay {
  std::int64_t count = 6;    ///< samples in one delay vector
  std::int64_t spacing = 4;  ///< between the newest two of them
  std::int64_t lead = 1;     ///< from the newest of them to the sample that is forecast
  LagPattern pattern = LagPattern::uniform;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("count", self.count, "samples in one delay vector", between(1, 1000));
    v.optional("spacing", self.spacing, "samples between the newest two", between(1, 1e6));
    v.optional("lead", self.lead, "samples from the newest to the one that is forecast", between(1, 1e6));
    v.optional("pattern", self.pattern, "uniform: lags 0, s, 2s, 3s; growing: 0, s, 3s, 6s");
  }
};

/// The lags in samples, 0 first.
std::vector<Eigen::Index> lags(const Delay& delay);

/// From the oldest sample of a delay vector to the sample that is forecast: the history that a forecast needs.
Eigen::Index reach(const Delay& delay);

/// "6 samples, 4 apart", with lead and pattern where they are not the usual ones.
std::string describe(const Delay& delay);

/// Training pairs in columns, in units of the normaliser.
struct DelayPairs {
  Matrix inputs;      ///< (count · coordinates, pairs): the newest sample's coordinates first
  Matrix increments;  ///< (coordinates, pairs): x(n) - x(n - lead)
};

/// Which pairs are kept.
struct Thinning {
  std::int64_t every = 1;  ///< every n-th, counted from the end of each run; 0: so few that at most `most` remain
  std::int64_t most = 1000;
};

/// The pairs of all runs; none crosses from one run into another. Runs shorter than a window add nothing.
/// Error where no pair is left, with the number of samples that are needed, or where the system is driven.
DelayPairs delay_pairs(const Dataset& data, const Normaliser& normaliser, const Delay& delay, const Thinning& thinning);

/// What every method on delay vectors keeps. Bounds are in units of the normaliser.
struct DelayFrame {
  std::vector<std::string> names;
  std::vector<double> mean, scale, low, high;
  Delay delay;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("names", self.names, "of the coordinates");
    v.required("mean", self.mean, "subtracted from each coordinate");
    v.required("scale", self.scale, "each coordinate is divided by it", positive);
    v.required("low", self.low, "forecasts stay above it");
    v.required("high", self.high, "forecasts stay below it");
    v.required("delay", self.delay, "delay vector");
  }

  Eigen::Index dimension() const { return static_cast<Eigen::Index>(names.size()); }
  Normaliser normaliser() const;
  /// Error unless every list has one entry for each name.
  void check(const std::string& where) const;
};

/// The frame of a data set: its coordinates' mean, deviation and range, the range widened by `margin` times itself.
DelayFrame delay_frame(const Dataset& data, const Delay& delay, double margin, bool normalise = true);

/// A method that forecasts the increment of the newest sample from a delay vector, step by step.
class DelayModel : public Model {
 public:
  explicit DelayModel(DelayFrame frame) : frame_(std::move(frame)) {}
  Eigen::Index history() const override { return reach(frame_.delay); }
  using Model::forecast;
  /// Values beyond the frame's bounds are held there; a value that is not finite ends the forecast in rows of NaN.
  Matrix forecast(const Matrix& past, Eigen::Index steps, const Matrix& controls) const override;

 protected:
  /// Takes a delay vector and fills the increment. It owns its work space, so that each forecast has its own.
  using Predictor = std::function<void(const Vector& input, Vector& increment)>;
  virtual Predictor predictor() const = 0;

  DelayFrame frame_;
};

/// Matrices as lists of rows, for saved models.
std::vector<std::vector<double>> rows_of(const Matrix& matrix);
/// Error unless there are `rows` rows of one length (any length where `columns` < 0).
Matrix matrix_of(const std::vector<std::vector<double>>& rows, const std::string& what, Eigen::Index expected_rows,
                 Eigen::Index expected_columns = -1);

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::LagPattern> {
  static constexpr std::array<std::pair<filigree::dynamics::LagPattern, std::string_view>, 2> table{
      {{filigree::dynamics::LagPattern::uniform, "uniform"}, {filigree::dynamics::LagPattern::growing, "growing"}}};
};
