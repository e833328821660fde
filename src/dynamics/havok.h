#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/visit.h"
#include "dynamics/model.h"

/// HAVOK: Hankel alternative view of Koopman (Brunton, Brunton, Proctor, Kaiser, Kutz: Nature Communications 8, 2017).
/// One coordinate of a chaotic system becomes a linear system v' = A v + B v_r of its leading delay coordinates, driven
/// by the last one, whose bursts announce switches between lobes.
namespace filigree::dynamics {

struct HavokOptions {
  int coordinate = 0;       ///< which one is measured
  int window = 100;         ///< samples in a column of the Hankel matrix
  int rank = 15;            ///< delay coordinates, the forcing among them; 0: by Gavish and Donoho
  int derivative_order = 4; ///< of accuracy of the central differences
  double threshold = 0;     ///< of |v_r| for active forcing; 0: by the histogram of v_r
  double tail = 0.01;       ///< share of samples in both tails of that histogram

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("coordinate", self.coordinate, "which coordinate is measured, from 0", non_negative);
    v.optional("window", self.window, "samples in a column of the Hankel matrix", between(3, 5000));
    v.optional("rank", self.rank, "delay coordinates, the forcing among them; 0: by Gavish and Donoho", non_negative);
    v.optional("derivative_order", self.derivative_order, "order of accuracy of the differences", between(1, 12));
    v.optional("threshold", self.threshold, "of active forcing; 0: by the histogram of the forcing", non_negative);
    v.optional("tail", self.tail, "share of samples in the tails of that histogram", between(1e-6, 0.5));
  }
};

class HavokModel : public Model {
 public:
  std::string method() const override { return "havok"; }
  Eigen::Index history() const override { return options_.window; }
  using Model::forecast;
  /// Always an Error: without the forcing still to come there is no forecast. See simulate_with_forcing().
  Matrix forecast(const Matrix& past, Eigen::Index steps, const Matrix& controls) const override;
  Cost cost() const override;
  std::vector<std::string> describe() const override;
  Json to_json() const override;

  const HavokOptions& options() const { return options_; }
  Eigen::Index rank() const { return modes_.cols(); }
  const Matrix& a() const { return a_; }                              ///< (rank - 1, rank - 1)
  const Vector& b() const { return b_; }                              ///< (rank - 1)
  const Matrix& modes() const { return modes_; }                      ///< U, (window, rank)
  const Vector& singular_values() const { return singular_values_; }  ///< all of the Hankel matrix
  double threshold() const { return threshold_; }

  /// Ranks by Gavish and Donoho, whose white noise a Hankel matrix does not have.
  Eigen::Index optimal_rank() const { return optimal_rank_; }
  Eigen::Index optimal_rank_approximate() const { return optimal_rank_approximate_; }

  /// Delay coordinates of a series: row k, of the window that starts at sample k; (samples - window + 1, rank), in the
  /// units of the fit's V. Error where it is shorter than the window.
  Matrix delay_coordinates(const Vector& series) const;

  /// v' = A v + B f(t) from `start` (rank - 1) with the forcing at every sample, linear in between (first-order hold,
  /// exact by the matrix exponential): (forcing.size(), rank - 1), the start in row 0.
  Matrix simulate_with_forcing(const Vector& start, const Vector& forcing) const;

  /// The series by the first rank - 1 modes: value k is the newest sample of the window of row k.
  Vector newest_samples(const Matrix& coordinates) const;

  /// The operator as fitted to all rank coordinates, (rank, rank). Its last row, the forcing's own equation, fits badly.
  const Matrix& regression() const { return regression_; }
  /// Unexplained share of the variance of each coordinate's derivative, (rank).
  const Vector& unexplained() const { return unexplained_; }

 private:
  friend HavokModel identify_havok(const Dataset&, const HavokOptions&);
  friend HavokModel havok_from_json(const Json&, const std::string&);
  HavokModel() = default;

  std::vector<std::string> names_;
  double dt_ = 1;
  HavokOptions options_;
  double threshold_ = 0;
  Eigen::Index optimal_rank_ = 0, optimal_rank_approximate_ = 0;
  Matrix modes_, a_, regression_;
  Vector b_, singular_values_, unexplained_;
};

/// Fits. Error on a coordinate that the data does not have, a rank beyond the window, runs shorter than the window and
/// the stencil, a constant series, and controls.
HavokModel identify_havok(const Dataset& data, const HavokOptions& options);

ModelPtr fit_havok(const Dataset& data, const HavokOptions& options);
HavokModel havok_from_json(const Json& json, const std::string& where);
ModelPtr load_havok(const Json& json, const std::string& where);

/// Threshold of PyDMD/PyDMD: havok.py: a histogram of 50 bins; from each side the bin at which half the tail share is
/// reached; the mean of the sizes of both bins' centres.
double forcing_threshold(const Vector& forcing, double tail);

/// Samples k at which the series has changed sign since sample k - 1.
std::vector<Eigen::Index> lobe_switches(const Vector& series);

struct SwitchAlarmOptions {
  double threshold = 0.002;   ///< of |forcing|
  Eigen::Index lead = 500;    ///< samples after a burst within which a switch counts as announced
  Eigen::Index gap = 100;     ///< quiet samples up to which two bursts are one
};

/// How well bursts of the forcing announce switches.
struct SwitchAlarms {
  Eigen::Index switches = 0;      ///< all
  Eigen::Index announced = 0;     ///< of these, with a burst that began before them and ended at most `lead` before
  Eigen::Index bursts = 0;
  Eigen::Index false_alarms = 0;  ///< bursts that no switch follows
  double hit_rate = 0;            ///< announced / switches
  double false_rate = 0;          ///< false_alarms / bursts
  double coverage = 0;            ///< share of all samples under alarm: the hit rate of alarms set off at random
  double warning = 0;             ///< mean samples from the start of a burst to its first switch
};

/// `forcing` and `switches` in the same count of samples: forcing[k] must be known at sample k, as the v_r of the window
/// that ends there is.
SwitchAlarms judge_alarms(const Vector& forcing, const std::vector<Eigen::Index>& switches,
                          const SwitchAlarmOptions& options);

}  // namespace filigree::dynamics
