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
#include "plan/calibrate_fit.h"

namespace filigree::plan {
namespace {

using spec::Accelerator;
using spec::Cluster;
using spec::MatrixCurve;

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

FitGroup make_group(const OperatorTiming& row) {
  FitGroup group;
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
bool enough(const FitGroup& group) {
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
      FitGroup group = make_group(row);
      if (group.kind != OperatorKind::matrix && group.kind != OperatorKind::grouped) {
        group.dtype = any_dtype(before_.accelerator);
      }
      FitGroup& kept = groups_.emplace(group.key, group).first->second;
      if (!held_out_[i]) kept.rows.push_back(row);
    }
  }

  void fit_all(Cluster& cluster) {
    std::vector<FitGroup*> groups;
    for (auto& [key, group] : groups_) {
      group.fitted = enough(group);
      groups.push_back(&group);
    }
    fit_groups(cluster, groups);
  }

  double time(const Cluster& cluster, const OperatorTiming& row) const {
    const bool typed = row.kind == OperatorKind::matrix || row.kind == OperatorKind::grouped;
    return computed_seconds(cluster, rates_for(cluster.accelerator, typed ? row.dtype : any_dtype(cluster.accelerator)),
                            row);
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
        family->kind = row.kind;
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

  static void describe(const FitGroup& group, TimingFamily& family) {
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
  std::map<std::string, FitGroup> groups_;
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
