#include "plan/operator_timings.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace filigree::plan {
namespace {

constexpr std::array<std::pair<std::string_view, OperatorKind>, 16> kOperators{
    {{"gemm", OperatorKind::matrix},
     {"grouped_gemm", OperatorKind::grouped},
     {"attention_forward", OperatorKind::attention_forward},
     {"attention_backward", OperatorKind::attention_backward},
     {"copy", OperatorKind::memory},
     {"add", OperatorKind::memory},
     {"rmsnorm", OperatorKind::memory},
     {"swiglu", OperatorKind::memory},
     {"permute", OperatorKind::memory},
     {"cast", OperatorKind::memory},
     {"softmax", OperatorKind::memory},
     {"adam", OperatorKind::memory},
     {"host_to_device", OperatorKind::transfer},
     {"device_to_host", OperatorKind::transfer},
     {"launch", OperatorKind::launch},
     {"launch_graph", OperatorKind::launch}}};

constexpr std::array<std::string_view, 10> kColumns{"operator", "dtype",      "groups", "m",     "n",
                                                    "k",        "head_dim_v", "causal", "bytes", "microseconds"};

bool is_product(OperatorKind kind) { return kind == OperatorKind::matrix || kind == OperatorKind::grouped; }

bool is_attention(OperatorKind kind) {
  return kind == OperatorKind::attention_forward || kind == OperatorKind::attention_backward;
}

OperatorKind read_kind(const Csv& csv, std::size_t r) {
  const std::string& name = csv.text(r, "operator");
  for (const auto& [known, kind] : kOperators) {
    if (known == name) return kind;
  }
  fail("{}: line {}: unknown operator '{}'{}", csv.where, csv.lines[r], name,
       text::did_you_mean(name, operator_names()));
}

spec::Dtype read_dtype(const Csv& csv, std::size_t r) {
  const std::string& name = csv.text(r, "dtype");
  if (const auto dtype = enum_from_name<spec::Dtype>(name)) return *dtype;
  const std::vector<std::string> known = enum_all_names<spec::Dtype>();
  fail("{}: line {}: unknown dtype '{}'{}; known are {}", csv.where, csv.lines[r], name,
       text::did_you_mean(name, known), text::join(known, ", "));
}

/// A size; greater than 0 where the operator needs it.
double read_size(const Csv& csv, std::size_t r, std::string_view column, bool needed) {
  const double value = csv.number(r, column);
  if (value < 0 || (needed && value == 0)) {
    fail("{}: line {}: {} of {} must be {}, got {}", csv.where, csv.lines[r], column, csv.text(r, "operator"),
         needed ? "greater than 0" : "at least 0", value);
  }
  return value;
}

OperatorTiming read_row(const Csv& csv, std::size_t r) {
  OperatorTiming row;
  row.line = csv.lines[r];
  row.name = csv.text(r, "operator");
  row.kind = read_kind(csv, r);
  const bool product = is_product(row.kind), attention = is_attention(row.kind);
  if (product || attention) row.dtype = read_dtype(csv, r);
  row.groups = read_size(csv, r, "groups", attention || row.kind == OperatorKind::grouped);
  row.m = read_size(csv, r, "m", product || attention);
  row.n = read_size(csv, r, "n", product || attention);
  row.k = read_size(csv, r, "k", product || attention);
  row.v_dim = read_size(csv, r, "head_dim_v", attention);
  row.causal = read_size(csv, r, "causal", false) != 0;
  row.bytes = read_size(csv, r, "bytes", row.kind == OperatorKind::memory || row.kind == OperatorKind::transfer);
  row.seconds = 1e-6 * csv.number(r, "microseconds");
  if (row.seconds <= 0) {
    fail("{}: line {}: microseconds must be greater than 0, got {}", csv.where, row.line, csv.text(r, "microseconds"));
  }
  return row;
}

std::string find_device(std::string_view text) {
  constexpr std::string_view kMark = "# GPU:";
  for (const std::string& line : text::split(text.substr(0, 4096), '\n')) {
    if (line.starts_with(kMark)) return std::string(text::trim(std::string_view(line).substr(kMark.size())));
  }
  return {};
}

}  // namespace

std::vector<std::string> operator_names() {
  std::vector<std::string> names;
  for (const auto& entry : kOperators) names.emplace_back(entry.first);
  return names;
}

OperatorTimings parse_operator_timings(std::string_view text, const std::string& where) {
  const Csv csv = parse_csv(text, where);
  for (const std::string_view column : kColumns) static_cast<void>(csv.column(column));
  OperatorTimings timings{where, find_device(text), {}};
  timings.rows.reserve(csv.num_rows());
  for (std::size_t r = 0; r < csv.num_rows(); ++r) timings.rows.push_back(read_row(csv, r));
  if (timings.rows.empty()) fail("{}: holds no measurements; tools/measure_operators.py makes such a file", where);
  return timings;
}

OperatorTimings read_operator_timings(const std::filesystem::path& path) {
  return parse_operator_timings(read_file(path), path.string());
}

std::string to_csv(const OperatorTimings& timings) {
  std::vector<std::string> header(kColumns.begin(), kColumns.end());
  std::vector<std::vector<std::string>> rows;
  for (const OperatorTiming& row : timings.rows) {
    const bool typed = is_product(row.kind) || is_attention(row.kind);
    rows.push_back({row.name, typed ? std::string(spec::dtype_name(row.dtype)) : "bf16", fmt::format("{}", row.groups),
                    fmt::format("{}", row.m), fmt::format("{}", row.n), fmt::format("{}", row.k),
                    fmt::format("{}", row.v_dim), row.causal ? "1" : "0", fmt::format("{}", row.bytes),
                    fmt::format("{:.12g}", 1e6 * row.seconds)});
  }
  const std::string comment = timings.device.empty() ? std::string() : "# GPU: " + timings.device + "\n";
  return comment + filigree::to_csv(header, rows);
}

double computed_seconds(const Rates& rates, const OperatorTiming& row) {
  const AttentionShape shape{row.groups, row.m, row.n, row.k, row.v_dim, row.causal ? 0.5 : 1.0};
  switch (row.kind) {
    case OperatorKind::matrix:
    case OperatorKind::grouped:
      // Narrow products give 16-bit results.
      return matrix_seconds(
          rates, {row.m, row.n, row.k, std::max(1.0, row.groups), false, std::max(2.0, rates.operand_bytes)});
    case OperatorKind::attention_forward:
      return attention_forward_seconds(rates, shape);
    case OperatorKind::attention_backward:
      return attention_backward_seconds(rates, shape);
    case OperatorKind::memory:
      return elementwise_seconds(rates, row.bytes, 1);
    case OperatorKind::transfer:
    case OperatorKind::launch:
      break;
  }
  return 0;
}

}  // namespace filigree::plan
