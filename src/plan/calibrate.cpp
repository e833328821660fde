#include "plan/calibrate.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "base/text.h"
#include "plan/minimise.h"

namespace filigree::plan {
namespace {

using spec::Accelerator;
using spec::Cluster;
using spec::MatrixCurve;

/// A figure to fit; searched for by its logarithm.
struct Parameter {
  double* value;
  double low, high;
};

/// Rows that share figures, and their fit.
struct Group {
  OperatorKind kind = OperatorKind::matrix;  // attention: forward, for both passes
  spec::Dtype dtype = spec::Dtype::bf16;
  std::vector<OperatorTiming> rows;  // that the fit sees
  std::int64_t least_rows = 0;
  std::string key;  // of its note among the sources
  bool fitted = false;
  double error = 0;
};

constexpr std::array kElementwise{"copy", "add", "rmsnorm", "swiglu", "permute", "cast"};

bool is_attention(OperatorKind kind) {
  return kind == OperatorKind::attention_forward || kind == OperatorKind::attention_backward;
}

/// Why a row has no part in any fit, or nothing.
std::string left_out(const OperatorTiming& row) {
  if (row.kind == OperatorKind::grouped && row.groups < 2)
    return "not fitted: the planner counts one group as a plain product";
  if (row.name == "launch_graph") return "not fitted: the least that kernel_us can be";
  if (row.kind != OperatorKind::memory) return {};
  const bool typical = std::find(kElementwise.begin(), kElementwise.end(), row.name) != kElementwise.end();
  return typical ? std::string() : "not fitted: no typical elementwise operator; shown for comparison";
}

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

double computed(const Cluster& cluster, const Rates& rates, const OperatorTiming& row) {
  if (row.kind == OperatorKind::transfer) return row.bytes / (1e9 * cluster.host_gb_s);
  if (row.name == "launch_graph") return rates.kernel;
  return row.kind == OperatorKind::launch ? 1e-6 * cluster.accelerator.host_us : computed_seconds(rates, row);
}

double mean_error(const Cluster& cluster, const Group& group) {
  const Rates rates = rates_for(cluster.accelerator, group.dtype);
  double sum = 0;
  for (const OperatorTiming& row : group.rows) sum += std::abs(computed(cluster, rates, row) / row.seconds - 1);
  return sum / static_cast<double>(group.rows.size());
}

std::vector<Parameter> parameters_of(Cluster& cluster, const Group& group) {
  Accelerator& a = cluster.accelerator;
  const std::string dtype(spec::dtype_name(group.dtype));
  const auto curve = [](MatrixCurve& c) {
    return std::vector<Parameter>{{&c.max, 0.01, 1}, {&c.k_fill, 1, 5000}, {&c.tile, 8, 512}, {&c.memory, 0.01, 1}};
  };
  spec::AttentionCurve& attention = a.attention;
  switch (group.kind) {
    case OperatorKind::matrix:
      return curve(a.matrix.at(dtype));
    case OperatorKind::grouped:
      return curve(a.grouped.at(dtype));
    case OperatorKind::attention_forward:
    case OperatorKind::attention_backward:
      return {{&attention.forward, 0.01, 1},
              {&attention.backward, 0.01, 1},
              {&attention.forward_fill, 1, 20000},
              {&attention.backward_fill, 1, 20000},
              {&attention.causal_tail, 1e-3, 10}};
    case OperatorKind::memory:
      return {{&a.memory_efficiency, 0.01, 1}};
    case OperatorKind::transfer:
      return {{&cluster.host_gb_s, 0.01, 1e5}};
    case OperatorKind::launch:
      return {{&a.host_us, 0.01, 1e4}};
  }
  return {};
}

/// Moves the group's figures to where the mean error is least.
void fit_parameters(Cluster& cluster, const Group& group, int restarts) {
  const std::vector<Parameter> parameters = parameters_of(cluster, group);
  std::vector<double> start;
  for (const Parameter& p : parameters) start.push_back(std::log(std::clamp(*p.value, p.low, p.high)));
  const auto set = [&parameters](std::span<const double> x) {
    double outside = 0;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const Parameter& p = parameters[i];
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
  set(minimise(objective, start, {0.2, 1e-7, 3000, restarts}));
}

/// As fit_parameters, with the rows' rounding of grouped products tried one by one.
void fit_group(Cluster& cluster, const Group& group, int restarts) {
  if (group.kind != OperatorKind::grouped) return fit_parameters(cluster, group, restarts);
  const std::string dtype(spec::dtype_name(group.dtype));
  fit_parameters(cluster, group, restarts);
  Cluster best = cluster;
  double least = mean_error(best, group);
  for (const double row_tile : {1.0, 16.0, 32.0, 64.0, 128.0, 256.0}) {
    Cluster trial = cluster;
    trial.accelerator.grouped.at(dtype).row_tile = row_tile;
    fit_parameters(trial, group, restarts);
    const double error = mean_error(trial, group);
    // Measurements with multiples of 128 rows tell nothing of smaller roundings: only a real gain counts.
    if (error < least * 0.98) {
      least = error;
      best = trial;
    }
  }
  cluster = best;
}

bool starts_kernels(const Group& group) {
  return group.kind != OperatorKind::transfer && group.kind != OperatorKind::launch;
}

/// The groups' mean errors with kernel_us given and all else fitted.
double fit_with_kernel(Cluster& cluster, const std::vector<const Group*>& groups, double kernel_us) {
  cluster.accelerator.kernel_us = kernel_us;
  double sum = 0;
  for (const Group* group : groups) {
    fit_parameters(cluster, *group, 1);
    sum += mean_error(cluster, *group);
  }
  return sum / static_cast<double>(groups.size());
}

/// kernel_us is shared by all operators: a search around the fits of all else.
void fit_kernel(Cluster& cluster, const std::vector<const Group*>& groups) {
  double best = std::max(0.2, cluster.accelerator.kernel_us), least = fit_with_kernel(cluster, groups, best);
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

double rounded(double value) {
  if (value <= 0) return value;
  const double unit = std::pow(10.0, std::floor(std::log10(value)) - 3);
  // A whole number of units, or of their inverses, so that 0.7371 is written with four digits.
  return unit >= 1 ? std::round(value / unit) * unit : std::round(value / unit) / std::round(1 / unit);
}

Group make_group(const OperatorTiming& row) {
  Group group;
  group.kind = row.kind == OperatorKind::attention_backward ? OperatorKind::attention_forward : row.kind;
  group.dtype = row.dtype;
  const std::string dtype(spec::dtype_name(row.dtype));
  switch (group.kind) {
    case OperatorKind::matrix:
      group.key = "matrix." + dtype, group.least_rows = 8;
      break;
    case OperatorKind::grouped:
      group.key = "grouped." + dtype, group.least_rows = 10;
      break;
    case OperatorKind::attention_forward:
    case OperatorKind::attention_backward:
      group.key = "attention", group.least_rows = 8;
      break;
    case OperatorKind::memory:
      group.key = "memory_efficiency", group.least_rows = 4;
      break;
    case OperatorKind::transfer:
      group.key = "host_gb_s", group.least_rows = 2;
      break;
    case OperatorKind::launch:
      group.key = "host_us", group.least_rows = 1;
      break;
  }
  return group;
}

/// Whether there are enough rows; attention needs them of both passes.
bool enough(const Group& group) {
  const auto count = [&group](OperatorKind kind) {
    return std::count_if(group.rows.begin(), group.rows.end(),
                         [kind](const OperatorTiming& r) { return r.kind == kind; });
  };
  if (!is_attention(group.kind)) return static_cast<std::int64_t>(group.rows.size()) >= group.least_rows;
  return std::min(count(OperatorKind::attention_forward), count(OperatorKind::attention_backward)) >= group.least_rows;
}

/// Gives every measured dtype a curve to start from.
void add_curves(Accelerator& accelerator, const OperatorTimings& timings) {
  for (const OperatorTiming& row : timings.rows) {
    const std::string dtype(spec::dtype_name(row.dtype));
    if (row.kind != OperatorKind::matrix && row.kind != OperatorKind::grouped) continue;
    if (!accelerator.peak_tflops.contains(dtype)) {
      fail(
          "{}: line {}: {} was measured in {}, but accelerator {} has no peak_tflops for it; add it to the cluster "
          "file",
          timings.where, row.line, row.name, dtype, accelerator.name);
    }
    const MatrixCurve start = accelerator.matrix.contains(dtype) ? accelerator.matrix.at(dtype) : MatrixCurve{};
    accelerator.matrix.emplace(dtype, start);
    if (row.kind == OperatorKind::grouped) accelerator.grouped.emplace(dtype, start);
  }
}

using Sources = std::map<std::string, std::string>;

/// Takes a figure out of the notes on where figures come from; a note may stand for several: "matrix, attention".
void forget_source(Sources& sources, const std::string& figure) {
  Sources kept;
  for (const auto& [key, note] : sources) {
    std::vector<std::string> figures;
    for (const std::string& part : text::split(key, ',')) {
      const std::string_view name = text::trim(part);
      if (name != figure) figures.emplace_back(name);
    }
    if (!figures.empty()) kept[text::join(figures, ", ")] = note;
  }
  sources = std::move(kept);
}

/// The work of one calibration.
class Calibrator {
 public:
  Calibrator(const Cluster& start, const OperatorTimings& timings, const CalibrateOptions& options)
      : timings_(timings), options_(options), before_(start) {
    if (!(options.holdout >= 0 && options.holdout <= 0.9))
      fail("calibrate: holdout must be between 0 and 0.9, got {}", options.holdout);
    if (!(options.sustained > 0 && options.sustained <= 1))
      fail("calibrate: sustained must be above 0 and at most 1, got {}", options.sustained);
    add_curves(before_.accelerator, timings);
    choose_holdout();
    collect_groups();
  }

  Calibration run() {
    Cluster cluster = before_;
    fit_all(cluster);
    Calibration result;
    result.families = report(cluster);
    finish(cluster);
    result.cluster = std::move(cluster);
    return result;
  }

 private:
  static std::string family_name(const OperatorTiming& row) {
    if (row.kind != OperatorKind::matrix && row.kind != OperatorKind::grouped && !is_attention(row.kind))
      return row.name;
    std::string name = fmt::format("{} {}", row.name, spec::dtype_name(row.dtype));
    if (is_attention(row.kind)) {
      name +=
          row.k == row.v_dim ? fmt::format(", heads of {}", row.k) : fmt::format(", heads of {}/{}", row.k, row.v_dim);
      name += row.causal ? ", causal" : ", full";
    }
    return row.kind == OperatorKind::grouped && row.groups < 2 ? name + ", one group" : name;
  }

  void choose_holdout() {
    held_out_.assign(timings_.rows.size(), false);
    std::map<std::string, std::vector<std::size_t>> families;
    for (std::size_t i = 0; i < timings_.rows.size(); ++i) {
      if (left_out(timings_.rows[i]).empty()) families[family_name(timings_.rows[i])].push_back(i);
    }
    Random random(static_cast<std::uint64_t>(options_.seed));
    for (auto& family : families) {
      std::vector<std::size_t>& rows = family.second;
      random.shuffle(rows);
      const auto count = static_cast<std::size_t>(options_.holdout * static_cast<double>(rows.size()));
      for (std::size_t i = 0; i < count; ++i) held_out_[rows[i]] = true;
    }
  }

  void collect_groups() {
    for (std::size_t i = 0; i < timings_.rows.size(); ++i) {
      const OperatorTiming& row = timings_.rows[i];
      if (!left_out(row).empty()) continue;
      Group group = make_group(row);
      if (group.kind != OperatorKind::matrix && group.kind != OperatorKind::grouped) {
        group.dtype = any_dtype(before_.accelerator);
      }
      Group& kept = groups_.emplace(group.key, group).first->second;
      if (!held_out_[i]) kept.rows.push_back(row);
    }
  }

  void fit_all(Cluster& cluster) {
    std::vector<const Group*> with_kernels;
    for (auto& [key, group] : groups_) {
      group.fitted = enough(group);
      if (!group.fitted) continue;
      fit_group(cluster, group, 1);
      if (starts_kernels(group)) with_kernels.push_back(&group);
    }
    if (!with_kernels.empty()) fit_kernel(cluster, with_kernels);
    for (const Group* group : with_kernels) fit_group(cluster, *group, 3);
    for (auto& [key, group] : groups_) {
      if (!group.fitted) continue;
      for (const Parameter& p : parameters_of(cluster, group)) *p.value = rounded(*p.value);
    }
    cluster.accelerator.kernel_us = rounded(cluster.accelerator.kernel_us);
    for (auto& [key, group] : groups_) {
      if (!group.rows.empty()) group.error = mean_error(cluster, group);
    }
  }

  double time(const Cluster& cluster, const OperatorTiming& row) const {
    const bool typed = row.kind == OperatorKind::matrix || row.kind == OperatorKind::grouped;
    return computed(cluster, rates_for(cluster.accelerator, typed ? row.dtype : any_dtype(cluster.accelerator)), row);
  }

  static void count(TimingError& error, double computed, double measured) {
    const double off = computed / measured - 1;
    error.mean = (error.mean * static_cast<double>(error.rows) + std::abs(off)) / static_cast<double>(error.rows + 1);
    if (std::abs(off) > std::abs(error.worst)) error.worst = off;
    ++error.rows;
  }

  std::vector<TimingFamily> report(const Cluster& after) const {
    std::vector<TimingFamily> families;
    for (std::size_t i = 0; i < timings_.rows.size(); ++i) {
      const OperatorTiming& row = timings_.rows[i];
      const std::string name = family_name(row);
      auto family =
          std::find_if(families.begin(), families.end(), [&name](const TimingFamily& f) { return f.name == name; });
      if (family == families.end()) {
        families.push_back({});
        family = families.end() - 1;
        family->name = name;
        family->remark = left_out(row);
        if (family->remark.empty()) describe(groups_.at(make_group(row).key), *family);
      }
      const double seconds = time(after, row);
      ++family->rows;
      family->measured.push_back(row.seconds);
      family->computed.push_back(seconds);
      if (held_out_[i]) {
        count(family->holdout, seconds, row.seconds);
      } else {
        count(family->before, time(before_, row), row.seconds);
        count(family->after, seconds, row.seconds);
      }
    }
    return families;
  }

  static void describe(const Group& group, TimingFamily& family) {
    family.fitted = group.fitted;
    if (group.fitted) return;
    family.remark = fmt::format("kept as it was: {} rows, a fit needs {}{}", group.rows.size(), group.least_rows,
                                is_attention(group.kind) ? " of each pass" : "");
  }

  /// Whether nothing is left of what the old note of a figure was about: curves of other dtypes may keep it.
  bool replaces(const Accelerator& accelerator, const std::string& key) const {
    const std::string figure = key.substr(0, key.find('.'));
    if (figure != "matrix" && figure != "grouped") return true;
    const auto& curves = figure == "matrix" ? accelerator.matrix : accelerator.grouped;
    return std::all_of(curves.begin(), curves.end(), [&](const auto& curve) {
      const auto group = groups_.find(figure + "." + curve.first);
      return group != groups_.end() && group->second.fitted;
    });
  }

  /// Lowers rates to what long runs sustain, and says where figures come from.
  void finish(Cluster& cluster) const {
    const std::string file = std::filesystem::path(timings_.where).filename().string();
    const std::string origin = timings_.device.empty() ? file : fmt::format("{} ({})", file, timings_.device);
    std::size_t kernel_rows = 0;
    for (const auto& [key, group] : groups_) {
      if (!group.fitted) continue;
      std::string note =
          fmt::format("fitted to {} rows of {}, mean error {:.1f} %", group.rows.size(), origin, 100 * group.error);
      const bool product = group.kind == OperatorKind::matrix || group.kind == OperatorKind::grouped;
      if (product && options_.sustained < 1) {
        double& max = *parameters_of(cluster, group).front().value;
        max = rounded(max * options_.sustained);
        note += fmt::format("; then max times {} for the clock of long runs", options_.sustained);
      }
      Sources& sources = group.kind == OperatorKind::transfer ? cluster.sources : cluster.accelerator.sources;
      if (replaces(cluster.accelerator, key)) forget_source(sources, key.substr(0, key.find('.')));
      sources[key] = note;
      if (starts_kernels(group)) kernel_rows += group.rows.size();
    }
    if (kernel_rows > 0) {
      forget_source(cluster.accelerator.sources, "kernel_us");
      cluster.accelerator.sources["kernel_us"] =
          fmt::format("fitted to {} rows of {}, shared by all operators", kernel_rows, origin);
    }
  }

  const OperatorTimings& timings_;
  CalibrateOptions options_;
  Cluster before_;
  std::vector<bool> held_out_;
  std::map<std::string, Group> groups_;
};

}  // namespace

Calibration calibrate(const Cluster& start, const OperatorTimings& timings, const CalibrateOptions& options) {
  return Calibrator(start, timings, options).run();
}

std::string nearest_cluster(const OperatorTimings& timings, const std::vector<std::string>& names) {
  const std::string stem = std::filesystem::path(timings.where).stem().string();
  const std::string described = text::lower(timings.device + " " + stem);
  std::string best;
  for (const std::string& name : names) {
    const std::string word = text::lower(name.substr(0, name.find('-')));
    if (described.find(word) == std::string::npos) continue;
    // "gb200" is nearer to a GB200 than "b200" is.
    const auto rank = [](const std::string& n) {
      return std::pair(n.substr(0, n.find('-')).size(), -static_cast<int>(n.size()));
    };
    if (best.empty() || rank(name) > rank(best)) best = name;
  }
  if (best.empty()) {
    fail("{}: no cluster recipe is named after its device '{}'; name a starting point among {}", timings.where,
         timings.device, text::join(names, ", "));
  }
  return best;
}

}  // namespace filigree::plan
