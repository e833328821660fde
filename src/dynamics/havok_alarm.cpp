#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "dynamics/havok.h"

namespace filigree::dynamics {

using Index = Eigen::Index;

double forcing_threshold(const Vector& forcing, double tail) {
  constexpr int kBins = 50;
  const double low = forcing.minCoeff(), high = forcing.maxCoeff();
  if (!(high > low)) return std::abs(high);
  const double width = (high - low) / kBins;
  std::vector<Index> counts(kBins, 0);
  for (const double value : forcing) {
    ++counts[static_cast<std::size_t>(std::min(kBins - 1, static_cast<int>((value - low) / width)))];
  }
  const double wanted = 0.5 * tail * static_cast<double>(forcing.size());
  const auto centre = [&](int bin) { return low + (bin + 0.5) * width; };
  int left = 0, right = kBins - 1;
  for (double sum = 0; left < kBins - 1; ++left) {
    sum += static_cast<double>(counts[static_cast<std::size_t>(left)]);
    if (sum >= wanted) break;
  }
  for (double sum = 0; right > 0; --right) {
    sum += static_cast<double>(counts[static_cast<std::size_t>(right)]);
    if (sum >= wanted) break;
  }
  return 0.5 * (std::abs(centre(left)) + std::abs(centre(right)));
}

std::vector<Index> lobe_switches(const Vector& series) {
  std::vector<Index> result;
  for (Index k = 1; k < series.size(); ++k) {
    if ((series(k) < 0) != (series(k - 1) < 0)) result.push_back(k);
  }
  return result;
}

SwitchAlarms judge_alarms(const Vector& forcing, const std::vector<Index>& switches, const SwitchAlarmOptions& options) {
  struct Burst {
    Index first, last;
  };
  std::vector<Burst> bursts;
  for (Index k = 0; k < forcing.size(); ++k) {
    if (!(std::abs(forcing(k)) > options.threshold)) continue;
    if (!bursts.empty() && k - bursts.back().last <= options.gap)
      bursts.back().last = k;
    else
      bursts.push_back({k, k});
  }
  SwitchAlarms result;
  result.switches = static_cast<Index>(switches.size());
  result.bursts = static_cast<Index>(bursts.size());
  Index covered = 0, covered_to = 0, followed = 0;
  for (const Burst& burst : bursts) {
    const Index end = std::min(burst.last + options.lead, forcing.size() - 1);
    covered += std::max<Index>(0, end + 1 - std::max(covered_to, burst.first));
    covered_to = std::max(covered_to, end + 1);
    const auto next = std::upper_bound(switches.begin(), switches.end(), burst.first);
    if (next == switches.end() || *next > end) continue;
    ++followed;
    result.warning += static_cast<double>(*next - burst.first);
  }
  result.false_alarms = result.bursts - followed;
  for (const Index k : switches) {
    const auto after = std::partition_point(bursts.begin(), bursts.end(), [&](const Burst& b) { return b.first < k; });
    if (after != bursts.begin() && k <= std::prev(after)->last + options.lead) ++result.announced;
  }
  const auto ratio = [](Index part, Index whole) {
    return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
  };
  result.hit_rate = ratio(result.announced, result.switches);
  result.false_rate = ratio(result.false_alarms, result.bursts);
  result.coverage = ratio(covered, forcing.size());
  if (followed > 0) result.warning /= static_cast<double>(followed);
  return result;
}

}  // namespace filigree::dynamics
