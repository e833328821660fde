#include "plan/calibrate_fit.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "plan/minimise.h"

namespace filigree::plan {

using spec::Accelerator;
using spec::Cluster;
using spec::MatrixCurve;

Rates rates_for(const Accelerator& accelerator, spec::Dtype dtype) {
  spec::Layout layout;
  layout.dtype = dtype;
  return resolve_rates(accelerator, layout);
}

/// A dtype for rows that have none.
spec::Dtype any_dtype(const Accelerator& accelerator) {
  for (const auto& curve : accelerator.matrix) {
    const auto dtype = enum_from_name<spec::Dtype>(curve.first);
    if (dtype && accelerator.peak_tflops.contains(curve.first)) return *dtype;
  }
  fail("accelerator {}: has no matrix curve with a peak of the same dtype", accelerator.name);
}

double computed_seconds(const Cluster& cluster, const Rates& rates, const OperatorTiming& row) {
  if (row.kind == OperatorKind::transfer) return row.bytes / (1e9 * cluster.host_gb_s);
  if (row.name == "launch_graph") return rates.kernel;
  return row.kind == OperatorKind::launch ? 1e-6 * cluster.accelerator.host_us : computed_seconds(rates, row);
}

double mean_error(const Cluster& cluster, const FitGroup& group) {
  const Rates rates = rates_for(cluster.accelerator, group.dtype);
  double sum = 0;
  for (const OperatorTiming& row : group.rows) sum += std::abs(computed_seconds(cluster, rates, row) / row.seconds - 1);
  return sum / static_cast<double>(group.rows.size());
}

std::vector<FitParameter> parameters_of(Cluster& cluster, const FitGroup& group) {
  Accelerator& a = cluster.accelerator;
  const std::string dtype(spec::dtype_name(group.dtype));
  const auto curve = [](MatrixCurve& c) {
    return std::vector<FitParameter>{
        {&c.max, 0.01, 1, 0.7}, {&c.k_fill, 1, 5000, 100}, {&c.tile, 8, 512, 64}, {&c.memory, 0.01, 1, 0.75}};
  };
  spec::AttentionCurve& attention = a.attention;
  switch (group.kind) {
    case OperatorKind::matrix:
      return curve(a.matrix.at(dtype));
    case OperatorKind::grouped:
      return curve(a.grouped.at(dtype));
    case OperatorKind::attention_forward:
    case OperatorKind::attention_backward:
      return {{&attention.forward, 0.01, 1, 0.6},
              {&attention.backward, 0.01, 1, 0.5},
              {&attention.forward_fill, 1, 20000, 400},
              {&attention.backward_fill, 1, 20000, 900},
              {&attention.causal_tail, 1e-3, 10, 0.6}};
    case OperatorKind::memory:
      return {{&a.memory_efficiency, 0.01, 1, 0.85}};
    case OperatorKind::transfer:
      return {{&cluster.host_gb_s, 0.01, 1e5, 50}};
    case OperatorKind::launch:
      return {{&a.host_us, 0.01, 1e4, 6}};
  }
  return {};
}

bool starts_kernels(const FitGroup& group) {
  return group.kind != OperatorKind::transfer && group.kind != OperatorKind::launch;
}

double rounded(double value) {
  if (value <= 0) return value;
  const double unit = std::pow(10.0, std::floor(std::log10(value)) - 3);
  // A whole number of units, or of their inverses, so that 0.7371 is written with four digits.
  return unit >= 1 ? std::round(value / unit) * unit : std::round(value / unit) / std::round(1 / unit);
}

namespace {

/// Moves the group's figures to where the mean error is least, looking from where they are, from typical values, and from
/// `further_starts` places around these.
void fit_parameters(Cluster& cluster, const FitGroup& group, int further_starts) {
  const std::vector<FitParameter> parameters = parameters_of(cluster, group);
  const auto set = [&parameters](std::span<const double> x) {
    double outside = 0;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const FitParameter& p = parameters[i];
      const double inside = std::clamp(x[i], std::log(p.low), std::log(p.high));
      outside += std::abs(x[i] - inside);
      *p.value = std::exp(inside);
    }
    return outside;
  };
  const auto objective = [&](std::span<const double> x) {
    const double outside = set(x);
    return mean_error(cluster, group) + 0.01 * outside;
  };
  std::vector<double> present, typical;
  for (const FitParameter& p : parameters) {
    present.push_back(std::log(std::clamp(*p.value, p.low, p.high)));
    typical.push_back(std::log(p.typical));
  }
  // Several starts: a figure may stand where it changes nothing (a small tile), or near a lesser minimum.
  std::vector<std::vector<double>> starts{present, typical};
  Random random(1);
  for (int i = 0; i < further_starts; ++i) {
    starts.push_back(typical);
    for (double& x : starts.back()) x += random.uniform(-1, 1);
  }
  std::vector<double> best = present;
  double least = objective(present);
  for (const std::vector<double>& start : starts) {
    std::vector<double> found = minimise(objective, start, {0.2, 1e-7, 3000, 1});
    if (const double value = objective(found); value < least) {
      least = value;
      best = std::move(found);
    }
  }
  set(best);
}

/// As fit_parameters, with the rows' rounding of grouped products tried one by one.
void fit_group(Cluster& cluster, const FitGroup& group, int further_starts) {
  if (group.kind != OperatorKind::grouped) return fit_parameters(cluster, group, further_starts);
  const std::string dtype(spec::dtype_name(group.dtype));
  fit_parameters(cluster, group, further_starts);
  Cluster best = cluster;
  double least = mean_error(best, group);
  for (const double row_tile : {1.0, 16.0, 32.0, 64.0, 128.0, 256.0}) {
    Cluster trial = cluster;
    trial.accelerator.grouped.at(dtype).row_tile = row_tile;
    fit_parameters(trial, group, further_starts);
    const double error = mean_error(trial, group);
    // Measurements with multiples of 128 rows tell nothing of smaller roundings: only a real gain counts.
    if (error < least * 0.98) {
      least = error;
      best = trial;
    }
  }
  cluster = best;
}

/// The groups' mean errors with kernel_us given and all else fitted.
double fit_with_kernel(Cluster& cluster, const std::vector<FitGroup*>& groups, double kernel_us) {
  cluster.accelerator.kernel_us = kernel_us;
  double sum = 0;
  for (FitGroup* group : groups) {
    fit_parameters(cluster, *group, 0);
    sum += mean_error(cluster, *group);
  }
  return sum / static_cast<double>(groups.size());
}

/// kernel_us is shared by all operators: a search around the fits of all else.
void fit_kernel(Cluster& cluster, const std::vector<FitGroup*>& groups) {
  constexpr double kTypical = 2;
  double best = std::max(0.2, cluster.accelerator.kernel_us), least = fit_with_kernel(cluster, groups, best);
  Cluster other = cluster;
  if (const double error = fit_with_kernel(other, groups, kTypical); error < least) {
    least = error, best = kTypical, cluster = other;
  }
  for (double ratio = 2; ratio > 1.02; ratio = std::sqrt(ratio)) {
    for (const double factor : {ratio, 1 / ratio}) {
      double trial_us = best * factor;
      while (trial_us > 0.05 && trial_us < 100) {
        Cluster trial = cluster;
        const double error = fit_with_kernel(trial, groups, trial_us);
        if (error >= least) break;
        least = error, best = trial_us, cluster = trial;
        trial_us *= factor;
      }
    }
  }
  cluster.accelerator.kernel_us = best;
}

}  // namespace

void fit_groups(Cluster& cluster, const std::vector<FitGroup*>& groups) {
  std::vector<FitGroup*> with_kernels;
  for (FitGroup* group : groups) {
    if (!group->fitted) continue;
    if (starts_kernels(*group))
      with_kernels.push_back(group);
    else
      fit_group(cluster, *group, 6);
  }
  if (!with_kernels.empty()) {
    fit_kernel(cluster, with_kernels);
    for (const FitGroup* group : with_kernels) fit_group(cluster, *group, 6);
    cluster.accelerator.kernel_us = rounded(cluster.accelerator.kernel_us);
  }
  for (FitGroup* group : groups) {
    if (!group->fitted) continue;
    for (const FitParameter& p : parameters_of(cluster, *group)) *p.value = rounded(*p.value);
  }
  for (FitGroup* group : groups) {
    if (!group->rows.empty()) group->error = mean_error(cluster, *group);
  }
}

}  // namespace filigree::plan
