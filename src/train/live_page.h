#pragma once

#include <chrono>
#include <vector>

#include "base/json.h"
#include "base/plot.h"
#include "train/run_folder.h"

/// RUN/live.html: loss, speed, utilisation, gradient norm and the balance of experts over the steps, and the newest
/// sample. A browser that shows it renews it by itself.
namespace filigree::train {

class LivePage {
 public:
  /// Begins with what the run's metrics hold.
  explicit LivePage(const RunFolder& run);

  /// One line of the metrics.
  void add(const Json& line);

  /// Draws where the last drawing was long enough ago: it takes at most 3 % of the time. A picture that cannot be made
  /// (no gnuplot) does not stop the training; the page then says why.
  void maybe_draw();

  /// The last drawing; the page then stays as it is.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  void render(bool running) const;

  RunFolder run_;
  std::vector<Json> lines_;
  Clock::time_point drawn_;
  double cost_ = 0.2;  ///< seconds of the last drawing
};

/// The pictures from lines of metrics.jsonl; those without data are left out.
std::vector<std::pair<std::string, Plot>> metric_plots(const std::vector<Json>& lines);

}  // namespace filigree::train
