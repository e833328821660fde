#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/progress.h"
#include "base/table.h"

/// The figures by which this part of the library asks to be judged, each measured anew: forecasts against published
/// results, costs against dense ones, speeds. `filigree bench dynamics` prints them.
namespace filigree::dynamics {

/// What was aimed at, and what came out. A range over seeds is judged by its worse end.
struct BenchTarget {
  std::string what, wanted, measured;
  bool met = false;
};

struct BenchTable {
  std::string caption;
  Table table;
};

/// One group of figures.
struct BenchPart {
  std::string name, title;
  std::vector<BenchTable> tables = {};
  std::vector<std::string> notes = {};
  std::vector<BenchTarget> targets = {};
  Json figures = Json::object();  ///< the numbers of the tables, unrounded
  double seconds = 0;
};

struct BenchSettings {
  std::filesystem::path data;  ///< the folder of recipes/dynamics, or another with files of the same names
  int threads = 1;
  int seeds = 3;       ///< where training is random: 1, 2, …
  bool quick = false;  ///< a look at everything in a minute: fewer systems, samples and steps; no figure to quote
  ProgressSink* progress = nullptr;
};

struct BenchKind {
  std::string name, description;
  std::function<BenchPart(const BenchSettings& settings)> run;
};

/// In the order in which they are printed.
const std::vector<BenchKind>& bench_kinds();

/// Error with the nearest name.
const BenchKind& find_bench_kind(const std::string& name);

/// Measures, with its seconds. Error for data that are missing or damaged.
BenchPart run_bench(const BenchKind& kind, const BenchSettings& settings);

std::string bench_text(const BenchPart& part);
std::string bench_markdown(const BenchPart& part);
Json bench_json(const BenchPart& part);

/// All targets of several parts.
Table target_table(const std::vector<BenchPart>& parts);

BenchPart bench_dysts(const BenchSettings& settings);
BenchPart bench_lorenz(const BenchSettings& settings);
BenchPart bench_author(const BenchSettings& settings);
BenchPart bench_leads(const BenchSettings& settings);
BenchPart bench_havok(const BenchSettings& settings);
BenchPart bench_structure(const BenchSettings& settings);
BenchPart bench_speed(const BenchSettings& settings);

}  // namespace filigree::dynamics
