#include "dynamics/auto_candidates.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "base/error.h"
#include "dynamics/analog.h"
#include "dynamics/delay_polynomial.h"
#include "dynamics/kernel.h"
#include "dynamics/local_linear.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;

/// Collects candidates, each delay vector in units of the series' period, none twice.
class Collector {
 public:
  Collector(Index samples, Index longest) : samples_(samples), longest_(longest) {}

  void set_period(double period) { period_ = period; }

  /// spacing and lead in hundredths of the period
  Delay delay(std::int64_t count, double spacing, double lead = 0, LagPattern pattern = LagPattern::uniform) const {
    const auto scaled = [&](double hundredths) {
      return std::max<std::int64_t>(1, std::llround(hundredths * period_ / 100));
    };
    return {count, scaled(spacing), lead > 0 ? scaled(lead) : 1, pattern};
  }

  void kernel(const Delay& delay, KernelShape shape, double length, double ridge) {
    KernelOptions options{delay, shape, length, ridge};
    options.every = std::max<Index>(1, (samples_ + 499) / 500);
    add("kernel", delay, fmt::format("{} length {} ridge {}", enum_name(shape), length, ridge),
        [options](const Dataset& data) { return fit_kernel(data, options); });
  }

  void local_linear(const Delay& delay, std::int64_t neighbours) {
    const LocalLinearOptions options{delay, neighbours};
    add("local_linear", delay, fmt::format("neighbours {}", neighbours),
        [options](const Dataset& data) { return fit_local_linear(data, options); });
  }

  void polynomial(const Delay& delay, std::int64_t degree, double ridge) {
    DelayPolynomialOptions options{delay, degree, ridge};
    options.every = std::max<Index>(1, samples_ / 2000);
    options.margin = 0.1;
    if (delay_polynomial_features(delay.count, degree) > static_cast<double>(samples_) / 3) return;
    add("delay_polynomial", delay, fmt::format("degree {} ridge {}", degree, ridge),
        [options](const Dataset& data) { return fit_delay_polynomial(data, options); });
  }

  void analog(const Delay& delay, std::int64_t neighbours) {
    const AnalogOptions options{delay, neighbours};
    add("analog", delay, fmt::format("neighbours {}", neighbours),
        [options](const Dataset& data) { return fit_analog(data, options); });
  }

  std::vector<Candidate> take() { return std::move(candidates_); }

 private:
  void add(const std::string& method, const Delay& delay, const std::string& settings,
           std::function<ModelPtr(const Dataset&)> fit) {
    const std::string text = describe(delay) + "; " + settings;
    if (reach(delay) > longest_ || !seen_.emplace(method, text).second) return;
    candidates_.push_back({method, text, reach(delay), std::move(fit)});
  }

  double period_ = 100;
  Index samples_, longest_;
  std::set<std::pair<std::string, std::string>> seen_;
  std::vector<Candidate> candidates_;
};

/// Lengths and ridges are those that won most often on held-out parts of the dysts training series.
void add_kernels(Collector& collector, bool all) {
  const auto few = [&](const Delay& delay) {
    for (const double length : {0.4, 0.7}) collector.kernel(delay, KernelShape::gaussian, length, 1e-6);
    for (const double length : {0.4, 1.2}) collector.kernel(delay, KernelShape::matern, length, 1e-6);
  };
  for (const Delay& delay :
       {collector.delay(4, 6), collector.delay(6, 4), collector.delay(6, 8), collector.delay(10, 4),
        collector.delay(16, 3), collector.delay(12, 8), collector.delay(6, 2, 0, LagPattern::growing),
        collector.delay(8, 1, 0, LagPattern::growing)}) {
    few(delay);
    if (!all) continue;
    for (const double length : {0.25, 1.2}) collector.kernel(delay, KernelShape::gaussian, length, 1e-6);
    collector.kernel(delay, KernelShape::matern, 0.7, 1e-5);
  }
  if (!all) return;
  for (const Delay& delay : {collector.delay(6, 4, 4), collector.delay(10, 4, 4), collector.delay(16, 3, 4)})
    few(delay);
}

void add_polynomials(Collector& collector) {
  collector.polynomial(collector.delay(2, 8), 4, 1e-8);
  collector.polynomial(collector.delay(3, 6), 4, 1e-8);
  collector.polynomial(collector.delay(4, 6), 4, 1e-8);
  collector.polynomial(collector.delay(4, 3), 4, 1e-8);
  collector.polynomial(collector.delay(5, 4), 3, 1e-8);
  collector.polynomial(collector.delay(5, 4), 3, 1e-6);
  collector.polynomial(collector.delay(7, 4), 3, 1e-8);
  collector.polynomial(collector.delay(12, 8), 1, 1e-8);
}

void add_local(Collector& collector) {
  collector.local_linear(collector.delay(3, 8), 16);
  collector.local_linear(collector.delay(5, 5), 20);
  collector.local_linear(collector.delay(8, 5), 24);
}

void add_analogs(Collector& collector) {
  collector.analog(collector.delay(1, 1), 2);
  collector.analog(collector.delay(5, 5), 4);
  collector.analog(collector.delay(10, 5), 4);
}

}  // namespace

const std::vector<std::string>& auto_methods() {
  static const std::vector<std::string> names = {"kernel", "local_linear", "delay_polynomial", "analog"};
  return names;
}

std::vector<Candidate> auto_candidates(const std::vector<std::string>& methods, double period, Index samples,
                                       Index longest) {
  // Lags as for the usual 100 samples a period, and as for the period that this series seems to have.
  Collector collector(samples, longest);
  const auto wanted = [&](const char* name) {
    return std::find(methods.begin(), methods.end(), name) != methods.end();
  };
  for (const bool usual : {true, false}) {
    collector.set_period(usual ? 100 : period);
    if (wanted("kernel")) add_kernels(collector, usual);
    if (wanted("delay_polynomial")) add_polynomials(collector);
    if (wanted("local_linear")) add_local(collector);
    if (wanted("analog")) add_analogs(collector);
  }
  return collector.take();
}

}  // namespace filigree::dynamics
