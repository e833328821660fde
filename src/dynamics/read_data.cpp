#include "dynamics/read_data.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "dynamics/data_table.h"
#include "dynamics/npy.h"

namespace filigree::dynamics {
namespace {

/// Value at `t` of the polynomial through the (up to) four known points nearest to it.
double cubic_at(const std::vector<double>& times, const std::vector<double>& values, double t) {
  const auto count = static_cast<std::ptrdiff_t>(times.size());
  const std::ptrdiff_t after = std::lower_bound(times.begin(), times.end(), t) - times.begin();
  const std::ptrdiff_t points = std::min<std::ptrdiff_t>(4, count);
  const std::ptrdiff_t first = std::clamp<std::ptrdiff_t>(after - 2, 0, count - points);
  double sum = 0;
  for (std::ptrdiff_t i = first; i < first + points; ++i) {
    double weight = 1;
    for (std::ptrdiff_t j = first; j < first + points; ++j) {
      if (j != i)
        weight *= (t - times[static_cast<std::size_t>(j)]) /
                  (times[static_cast<std::size_t>(i)] - times[static_cast<std::size_t>(j)]);
    }
    sum += weight * values[static_cast<std::size_t>(i)];
  }
  return sum;
}

/// A time for every sample: the file's, or the sample's number.
std::vector<double> times_of(const RawRun& run, std::size_t count) {
  if (!run.time.empty()) return run.time;
  std::vector<double> times(count);
  std::iota(times.begin(), times.end(), 0.0);
  return times;
}

void check_times(const RawRun& run, const std::string& where) {
  for (std::size_t i = 0; i < run.time.size(); ++i) {
    if (std::isnan(run.time[i])) fail("{}: {}: the time is missing; it cannot be filled in", where, run.places[i]);
    if (i > 0 && !(run.time[i] > run.time[i - 1])) {
      fail("{}: {}: the time {} does not come after {} of {}; sort the rows and remove repeated ones", where,
           run.places[i], run.time[i], run.time[i - 1], run.places[i - 1]);
    }
  }
}

void interpolate_missing(RawRun& run, const RawData& raw) {
  const std::vector<double> times = times_of(run, run.places.size());
  for (Eigen::Index j = 0; j < run.values.cols(); ++j) {
    std::vector<double> known_times, known_values;
    for (std::size_t i = 0; i < times.size(); ++i) {
      const double value = run.values(static_cast<Eigen::Index>(i), j);
      if (std::isnan(value)) continue;
      known_times.push_back(times[i]);
      known_values.push_back(value);
    }
    for (std::size_t i = 0; i < times.size(); ++i) {
      double& value = run.values(static_cast<Eigen::Index>(i), j);
      if (!std::isnan(value)) continue;
      if (known_times.empty() || times[i] < known_times.front() || times[i] > known_times.back()) {
        fail("{}: {}, column '{}': the value is missing and there is none {} it to interpolate from; remove the row",
             raw.where, run.places[i], raw.names[static_cast<std::size_t>(j)],
             known_times.empty() || times[i] > known_times.back() ? "after" : "before");
      }
      value = cubic_at(known_times, known_values, times[i]);
    }
  }
}

RawRun piece_of(const RawRun& run, std::size_t first, std::size_t count) {
  const auto begin = static_cast<std::ptrdiff_t>(first), end = static_cast<std::ptrdiff_t>(first + count);
  RawRun piece{run.name, {run.places.begin() + begin, run.places.begin() + end}, {}, {}};
  if (!run.time.empty()) piece.time.assign(run.time.begin() + begin, run.time.begin() + end);
  piece.values = run.values.middleRows(begin, end - begin);
  return piece;
}

std::vector<RawRun> split_at_missing(const RawRun& run) {
  std::vector<RawRun> pieces;
  std::size_t first = 0;
  for (std::size_t i = 0; i <= run.places.size(); ++i) {
    if (i < run.places.size() && !run.values.row(static_cast<Eigen::Index>(i)).hasNaN()) continue;
    if (i - first >= 2) pieces.push_back(piece_of(run, first, i - first));
    first = i + 1;
  }
  return pieces;
}

void refuse_missing(const RawRun& run, const RawData& raw) {
  for (Eigen::Index i = 0; i < run.values.rows(); ++i) {
    for (Eigen::Index j = 0; j < run.values.cols(); ++j) {
      if (!std::isnan(run.values(i, j))) continue;
      fail("{}: {}, column '{}': the value is missing; fill it in, or ask to interpolate or to split the run there",
           raw.where, run.places[static_cast<std::size_t>(i)], raw.names[static_cast<std::size_t>(j)]);
    }
  }
}

/// Runs without missing values.
std::vector<RawRun> complete_runs(RawData& raw, Missing policy) {
  std::vector<RawRun> runs;
  for (RawRun& run : raw.runs) {
    check_times(run, raw.where);
    if (run.places.size() < 2) {
      fail("{}: {} has 1 sample; at least 2 are needed", raw.where,
           run.name.empty() ? std::string("the file") : fmt::format("run '{}'", run.name));
    }
    if (policy == Missing::split) {
      for (RawRun& piece : split_at_missing(run)) runs.push_back(std::move(piece));
      continue;
    }
    if (policy == Missing::interpolate) interpolate_missing(run, raw);
    refuse_missing(run, raw);
    runs.push_back(std::move(run));
  }
  if (runs.empty()) {
    fail("{}: no two neighbouring samples are complete; interpolate the missing values instead of splitting",
         raw.where);
  }
  return runs;
}

double median_step(const std::vector<RawRun>& runs) {
  std::vector<double> steps;
  for (const RawRun& run : runs) {
    for (std::size_t i = 1; i < run.time.size(); ++i) steps.push_back(run.time[i] - run.time[i - 1]);
  }
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  return *middle;
}

void check_steps(const RawRun& run, double dt, double tolerance, const std::string& where) {
  for (std::size_t i = 1; i < run.time.size(); ++i) {
    const double step = run.time[i] - run.time[i - 1];
    if (std::abs(step - dt) <= tolerance * dt) continue;
    fail(
        "{}: {}: the step of time is {:.6g} where the others are {:.6g} (they may differ by {:.3g} of it); ask to "
        "resample, or split the file there",
        where, run.places[i], step, dt, tolerance);
  }
}

/// The run at equal steps from its first time on.
Matrix resampled(const RawRun& run, double dt, const std::string& where) {
  const double length = run.time.back() - run.time.front();
  // A last sample that rounding puts just behind the end still counts.
  const double steps = std::floor(length / dt * (1 + 1e-12) + 1e-9);
  if (!(steps >= 1) || steps > 1e9) {
    fail("{}: {}: a run of length {:.6g} cannot be resampled at steps of {:.6g}; give another step", where,
         run.places.front(), length, dt);
  }
  Matrix result(static_cast<Eigen::Index>(steps) + 1, run.values.cols());
  for (Eigen::Index j = 0; j < result.cols(); ++j) {
    const std::vector<double> values(run.values.col(j).begin(), run.values.col(j).end());
    for (Eigen::Index i = 0; i < result.rows(); ++i) {
      const double t = std::min(run.time.front() + static_cast<double>(i) * dt, run.time.back());
      result(i, j) = cubic_at(run.time, values, t);
    }
  }
  return result;
}

bool is_npy(const std::filesystem::path& path) { return path.extension() == ".npy"; }

std::string data_npy(const Dataset& data, const std::string& where) {
  if (data.num_controls() > 0) fail("{}: an NPY file has no place for controls; write CSV", where);
  const Eigen::Index samples = data.runs.front().states.rows();
  NpyArray array;
  if (data.runs.size() > 1) array.shape.push_back(static_cast<std::int64_t>(data.runs.size()));
  array.shape.push_back(samples);
  array.shape.push_back(data.dimension());
  for (const Trajectory& run : data.runs) {
    if (run.states.rows() != samples) {
      fail("{}: an NPY file cannot hold runs of {} and of {} samples; write CSV", where, samples, run.states.rows());
    }
    for (Eigen::Index i = 0; i < samples; ++i) {
      for (Eigen::Index j = 0; j < run.states.cols(); ++j) array.values.push_back(run.states(i, j));
    }
  }
  return npy_bytes(array);
}

}  // namespace

Dataset dataset_from(RawData raw, const ReadDataOptions& options) {
  const std::vector<RawRun> runs = complete_runs(raw, options.missing);
  const bool timed = !runs.front().time.empty();
  double dt = options.dt.value_or(1);
  if (timed && !(options.resample && options.dt)) dt = median_step(runs);
  if (timed && !options.resample) {
    // The mean step of the longest run has fewer rounding errors than any single one.
    const RawRun& longest = *std::max_element(
        runs.begin(), runs.end(), [](const RawRun& a, const RawRun& b) { return a.time.size() < b.time.size(); });
    const double mean = (longest.time.back() - longest.time.front()) / static_cast<double>(longest.time.size() - 1);
    for (const RawRun& run : runs) check_steps(run, dt, options.tolerance, raw.where);
    dt = mean;
  }
  const auto controls = static_cast<Eigen::Index>(raw.control_names.size());
  const auto size = static_cast<Eigen::Index>(raw.names.size()) - controls;
  Dataset data{{raw.names.begin(), raw.names.begin() + size}, raw.control_names, dt, {}};
  for (const RawRun& run : runs) {
    const Matrix values = timed && options.resample ? resampled(run, dt, raw.where) : run.values;
    Trajectory trajectory{values.leftCols(size), {}, timed ? run.time.front() : 0, 0};
    if (controls > 0) trajectory.controls = values.rightCols(controls);
    data.runs.push_back(std::move(trajectory));
  }
  data.check(2);
  return data;
}

Dataset parse_data_csv(std::string_view text, const std::string& where, const ReadDataOptions& options) {
  return dataset_from(table_from_csv(text, where, options), options);
}

Dataset parse_data_npy(std::string_view bytes, const std::string& where, const ReadDataOptions& options) {
  return dataset_from(table_from_npy(bytes, where, options), options);
}

Dataset read_data(const std::filesystem::path& path, const ReadDataOptions& options) {
  const std::string content = read_file(path);
  return is_npy(path) ? parse_data_npy(content, path.string(), options)
                      : parse_data_csv(content, path.string(), options);
}

std::string data_csv(const Dataset& data) {
  std::vector<std::string> header;
  if (data.runs.size() > 1) header.push_back("run");
  header.push_back("t");
  header.insert(header.end(), data.names.begin(), data.names.end());
  header.insert(header.end(), data.control_names.begin(), data.control_names.end());
  std::vector<std::vector<std::string>> rows;
  for (std::size_t r = 0; r < data.runs.size(); ++r) {
    const Trajectory& run = data.runs[r];
    for (Eigen::Index i = 0; i < run.states.rows(); ++i) {
      std::vector<std::string>& row = rows.emplace_back();
      if (data.runs.size() > 1) row.push_back(fmt::format("{}", r + 1));
      row.push_back(fmt::format("{}", run.start + static_cast<double>(i) * data.dt));
      for (Eigen::Index j = 0; j < run.states.cols(); ++j) row.push_back(fmt::format("{}", run.states(i, j)));
      for (Eigen::Index j = 0; j < data.num_controls(); ++j) row.push_back(fmt::format("{}", run.controls(i, j)));
    }
  }
  return to_csv(header, rows);
}

void write_data(const std::filesystem::path& path, const Dataset& data) {
  data.check(1);
  write_file(path, is_npy(path) ? data_npy(data, path.string()) : data_csv(data));
}

}  // namespace filigree::dynamics
