#include "dynamics/data_table.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/csv.h"
#include "base/error.h"
#include "base/text.h"
#include "dynamics/npy.h"

namespace filigree::dynamics {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// Which column of a file is what.
struct Columns {
  std::size_t time = kNone, run = kNone;
  std::vector<std::size_t> values;  ///< coordinates, then controls
  std::size_t num_controls = 0;
};

std::size_t find_column(const std::vector<std::string>& header, const std::string& name, const std::string& where) {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) {
    fail("{}: has no column '{}'{} (columns: {})", where, name, text::did_you_mean(name, header),
         text::join(header, ", "));
  }
  return static_cast<std::size_t>(found - header.begin());
}

/// The first column with one of these names, in any case.
std::size_t known_column(const std::vector<std::string>& header, std::initializer_list<std::string_view> names) {
  for (std::size_t i = 0; i < header.size(); ++i) {
    for (const std::string_view name : names) {
      if (text::lower(header[i]) == name) return i;
    }
  }
  return kNone;
}

Columns choose_columns(const std::vector<std::string>& header, const std::string& where,
                       const ReadDataOptions& options) {
  Columns columns;
  columns.time = options.time.empty() ? known_column(header, {"t", "time"}) : find_column(header, options.time, where);
  columns.run = options.run.empty() ? known_column(header, {"run"}) : find_column(header, options.run, where);
  std::vector<bool> used(header.size(), false);
  const auto take = [&](std::size_t column, const char* what) {
    if (used[column]) fail("{}: column '{}' is asked for twice, also as {}", where, header[column], what);
    used[column] = true;
  };
  if (columns.time != kNone) take(columns.time, "the time");
  if (columns.run != kNone) take(columns.run, "the run");
  std::vector<std::size_t> controls;
  for (const std::string& name : options.controls) {
    controls.push_back(find_column(header, name, where));
    take(controls.back(), "a control");
  }
  for (const std::string& name : options.columns) {
    columns.values.push_back(find_column(header, name, where));
    take(columns.values.back(), "a coordinate");
  }
  if (options.columns.empty()) {
    for (std::size_t i = 0; i < header.size(); ++i) {
      if (!used[i]) columns.values.push_back(i);
    }
  }
  if (columns.values.empty()) {
    fail("{}: has no column of a coordinate (columns: {})", where, text::join(header, ", "));
  }
  columns.num_controls = controls.size();
  columns.values.insert(columns.values.end(), controls.begin(), controls.end());
  return columns;
}

/// Text as a number, NaN where it is missing.
double number_of(const std::string& field, const std::string& where, int line, const std::string& column) {
  const std::string word = text::lower(text::trim(field));
  if (word.empty() || word == "nan" || word == "na" || word == "n/a") return kMissing;
  // Other programs write a leading plus, which the parser does not know.
  const auto value = text::parse_double(word.starts_with('+') ? std::string_view(word).substr(1) : word);
  if (value) return *value;
  const std::string unsigned_word = word.substr(word.starts_with('-') || word.starts_with('+') ? 1 : 0);
  if (unsigned_word == "inf" || unsigned_word == "infinity" || unsigned_word == "nan") {
    fail("{}: line {}, column '{}': '{}' is not a finite number; remove the row or leave the field empty", where, line,
         column, field);
  }
  fail("{}: line {}, column '{}': expected a number, got '{}'", where, line, column, field);
}

std::vector<std::string> plain_names(std::size_t count) {
  if (count == 1) return {"x"};
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(fmt::format("x{}", i));
  return names;
}

bool is_number_or_missing(std::string_view field) {
  const std::string word = text::lower(text::trim(field));
  return word == "nan" || word == "inf" || word == "-inf" ||
         text::parse_double(word.starts_with('+') ? std::string_view(word).substr(1) : word).has_value();
}

/// The line at `at`, which moves behind it.
std::string_view next_line(std::string_view text, std::size_t& at) {
  const std::size_t end = std::min(text.find('\n', at), text.size());
  const std::string_view line = text::trim(text.substr(at, end - at));
  at = std::min(end + 1, text.size());
  return line;
}

/// Where the rows begin in a file without a header, and how many columns they have.
struct Headless {
  std::size_t begin = 0;
  std::size_t columns = 0;  ///< 0 where the first row is a header
};

/// Whether the first row holds numbers only. Then rows of another length are errors: parse_csv would compare them with
/// the header that is added.
Headless find_headless(std::string_view text, const std::string& where) {
  Headless result;
  int line = 1, first = 0;
  for (std::size_t at = 0, begin = 0; at < text.size(); ++line) {
    begin = at;
    const std::string_view content = next_line(text, at);
    if (content.empty() || (result.columns == 0 && content.starts_with('#'))) continue;
    const auto count = static_cast<std::size_t>(std::count(content.begin(), content.end(), ',')) + 1;
    if (result.columns == 0) {
      for (const std::string& field : text::split(content, ',')) {
        if (!is_number_or_missing(field)) return {};
      }
      result = {begin, count};
      first = line;
    } else if (count != result.columns) {
      fail("{}: line {}: the row has {} fields, expected {} as in line {}", where, line, count, result.columns, first);
    }
  }
  return result;
}

Csv parse_with_or_without_header(std::string_view text, const std::string& where) {
  const Headless found = find_headless(text, where);
  if (found.columns == 0) return parse_csv(text, where);
  const std::string header = text::join(plain_names(found.columns), ",") + "\n";
  Csv csv = parse_csv(std::string(text.substr(0, found.begin)) + header + std::string(text.substr(found.begin)), where);
  for (int& line : csv.lines) --line;
  return csv;
}

RawData empty_table(const std::vector<std::string>& header, const Columns& columns, const std::string& where) {
  RawData table{where, {}, {}, {}};
  for (const std::size_t column : columns.values) table.names.push_back(header[column]);
  table.control_names.assign(table.names.end() - static_cast<std::ptrdiff_t>(columns.num_controls), table.names.end());
  return table;
}

}  // namespace

RawData table_from_csv(std::string_view text, const std::string& where, const ReadDataOptions& options) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  if (text.starts_with(mark)) text.remove_prefix(mark.size());
  const Csv csv = parse_with_or_without_header(text, where);
  if (csv.rows.empty()) fail("{}: has a header but no row of numbers", where);
  const Columns columns = choose_columns(csv.header, where, options);
  RawData table = empty_table(csv.header, columns, where);
  std::map<std::string, std::vector<std::size_t>> rows_of;
  std::vector<std::string> order;
  for (std::size_t row = 0; row < csv.rows.size(); ++row) {
    const std::string name(columns.run == kNone ? "" : text::trim(csv.rows[row][columns.run]));
    if (columns.run != kNone && name.empty()) {
      fail("{}: line {}, column '{}': the run has no name", where, csv.lines[row], csv.header[columns.run]);
    }
    auto& rows = rows_of[name];
    if (rows.empty()) order.push_back(name);
    rows.push_back(row);
  }
  for (const std::string& name : order) {
    const std::vector<std::size_t>& rows = rows_of[name];
    RawRun run{name, {}, {}, Matrix(rows.size(), columns.values.size())};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::vector<std::string>& fields = csv.rows[rows[i]];
      const int line = csv.lines[rows[i]];
      run.places.push_back(fmt::format("line {}", line));
      if (columns.time != kNone) {
        run.time.push_back(number_of(fields[columns.time], where, line, csv.header[columns.time]));
      }
      for (std::size_t j = 0; j < columns.values.size(); ++j) {
        const std::size_t column = columns.values[j];
        run.values(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) =
            number_of(fields[column], where, line, csv.header[column]);
      }
    }
    table.runs.push_back(std::move(run));
  }
  return table;
}

RawData table_from_npy(std::string_view bytes, const std::string& where, const ReadDataOptions& options) {
  const NpyArray array = parse_npy(bytes, where);
  const std::size_t axes = array.shape.size();
  if (axes < 1 || axes > 3) {
    fail("{}: has {} axes, expected 1 (samples), 2 (samples, columns) or 3 (runs, samples, columns)", where, axes);
  }
  const auto size = [&](std::size_t axis) { return static_cast<std::size_t>(array.shape[axis]); };
  const std::size_t runs = axes == 3 ? size(0) : 1, samples = size(axes == 3 ? 1 : 0),
                    width = axes == 1 ? 1 : size(axes - 1);
  if (array.values.empty()) fail("{}: has no numbers: one of its axes has size 0", where);
  const std::vector<std::string> header = plain_names(width);
  const Columns columns = choose_columns(header, where, options);
  RawData table = empty_table(header, columns, where);
  for (std::size_t r = 0; r < runs; ++r) {
    RawRun run{runs > 1 ? fmt::format("{}", r + 1) : "", {}, {}, Matrix(samples, columns.values.size())};
    for (std::size_t i = 0; i < samples; ++i) {
      const double* row = &array.values[(r * samples + i) * width];
      run.places.push_back(runs > 1 ? fmt::format("run {}, sample {}", r + 1, i + 1) : fmt::format("sample {}", i + 1));
      for (std::size_t j = 0; j < width; ++j) {
        if (std::isinf(row[j])) {
          fail("{}: {}, column '{}': {} is not a finite number", where, run.places.back(), header[j], row[j]);
        }
      }
      if (columns.time != kNone) run.time.push_back(row[columns.time]);
      for (std::size_t j = 0; j < columns.values.size(); ++j) {
        run.values(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) = row[columns.values[j]];
      }
    }
    table.runs.push_back(std::move(run));
  }
  return table;
}

}  // namespace filigree::dynamics
