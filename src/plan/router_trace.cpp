#include "plan/router_trace.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <tuple>
#include <utility>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace filigree::plan {
namespace {

constexpr std::int64_t max_experts = 16384;                 // a wrong id must not cost gigabytes
constexpr std::int64_t max_tokens = std::int64_t{1} << 40;  // of one expert; sums stay far from overflow

struct Row {
  std::int64_t step = 0, layer = 0, expert = 0, tokens = 0;
  int line = 0;
};

/// Whole numbers only, also where Csv::integer would take "1e3".
std::int64_t field(const Csv& csv, std::size_t row, std::size_t column) {
  const std::string& text = csv.rows[row][column];
  const auto value = text::parse_int(text::trim(text));
  if (!value) {
    fail("{}: line {}, column '{}': expected a whole number, got '{}'", csv.where, csv.lines[row], csv.header[column],
         text);
  }
  if (*value < 0) {
    fail("{}: line {}, column '{}': expected a number that is not negative, got {}", csv.where, csv.lines[row],
         csv.header[column], *value);
  }
  return *value;
}

std::vector<Row> read_rows(const Csv& csv, std::int64_t experts) {
  const std::size_t step = csv.column("step"), layer = csv.column("layer");
  const std::size_t expert = csv.column("expert"), tokens = csv.column("tokens");
  if (csv.num_rows() == 0) fail("{}: has no rows, expected counts by step, layer and expert", csv.where);
  const std::int64_t limit = experts > 0 ? experts : max_experts;
  std::vector<Row> rows(csv.num_rows());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = {field(csv, i, step), field(csv, i, layer), field(csv, i, expert), field(csv, i, tokens), csv.lines[i]};
    if (rows[i].expert >= limit) {
      fail("{}: line {}, column 'expert': expert {} is out of range, expected 0 to {}", csv.where, csv.lines[i],
           rows[i].expert, limit - 1);
    }
    if (rows[i].tokens > max_tokens) {
      fail("{}: line {}, column 'tokens': {} is too large, expected at most {}", csv.where, csv.lines[i],
           rows[i].tokens, max_tokens);
    }
  }
  return rows;
}

/// Sorts by step, layer and expert, and refuses two rows for the same.
void sort_rows(std::vector<Row>& rows, const std::string& where) {
  const auto key = [](const Row& row) { return std::tuple(row.step, row.layer, row.expert); };
  std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) { return key(a) < key(b); });
  const auto twice =
      std::adjacent_find(rows.begin(), rows.end(), [&](const Row& a, const Row& b) { return key(a) == key(b); });
  if (twice != rows.end()) {
    fail("{}: line {}: step {} layer {} expert {} is already on line {}; keep one of them", where, (twice + 1)->line,
         twice->step, twice->layer, twice->expert, twice->line);
  }
}

std::vector<std::int64_t> distinct(const std::vector<Row>& rows, std::int64_t Row::*member) {
  std::vector<std::int64_t> values;
  for (const Row& row : rows) {
    if (values.empty() || values.back() != row.*member) values.push_back(row.*member);
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

/// One layer of one step: the sorted rows [begin, end).
struct Group {
  std::int64_t step = 0, layer = 0, sum = 0;
  std::size_t begin = 0, end = 0;
};

std::vector<Group> group_rows(const std::vector<Row>& rows) {
  std::vector<Group> groups;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool same = i > 0 && rows[i].step == rows[i - 1].step && rows[i].layer == rows[i - 1].layer;
    if (!same) groups.push_back({rows[i].step, rows[i].layer, 0, i, i});
    groups.back().end = i + 1;
    groups.back().sum += rows[i].tokens;
  }
  return groups;
}

/// The groups of one step: one for every layer, all with the same positive sum.
void check_step(std::span<const Group> groups, const std::vector<std::int64_t>& layers, const std::string& where) {
  const Group& first = groups.front();
  std::size_t next = 0;
  for (const std::int64_t layer : layers) {
    const bool there = next < groups.size() && groups[next].layer == layer;
    const std::int64_t sum = there ? groups[next++].sum : 0;
    if (sum == first.sum) continue;
    fail("{}: counts do not add up: step {} layer {} has {} assignments, layer {} has {}", where, first.step, layer,
         text::with_thousands(sum), first.layer, text::with_thousands(first.sum));
  }
  if (first.sum == 0) fail("{}: step {} has no assignments; leave out steps without tokens", where, first.step);
}

void check_sums(const std::vector<Group>& groups, const std::vector<std::int64_t>& layers, const std::string& where) {
  for (std::size_t begin = 0; begin < groups.size();) {
    std::size_t end = begin;
    while (end < groups.size() && groups[end].step == groups[begin].step) ++end;
    check_step(std::span(groups).subspan(begin, end - begin), layers, where);
    begin = end;
  }
}

}  // namespace

RouterTrace::RouterTrace(std::vector<std::int64_t> steps, std::vector<std::int64_t> layers, std::int64_t experts)
    : steps_(std::move(steps)), layers_(std::move(layers)), experts_(experts) {
  FILIGREE_ASSERT(!steps_.empty() && !layers_.empty() && experts_ > 0);
  FILIGREE_ASSERT(std::is_sorted(steps_.begin(), steps_.end()) && std::is_sorted(layers_.begin(), layers_.end()));
  counts_.resize(steps_.size() * layers_.size() * static_cast<std::size_t>(experts_));
}

std::span<std::int64_t> RouterTrace::counts(std::size_t step, std::size_t layer) {
  FILIGREE_ASSERT(step < steps_.size() && layer < layers_.size());
  const auto num = static_cast<std::size_t>(experts_);
  return std::span(counts_).subspan((step * layers_.size() + layer) * num, num);
}

std::span<const std::int64_t> RouterTrace::counts(std::size_t step, std::size_t layer) const {
  FILIGREE_ASSERT(step < steps_.size() && layer < layers_.size());
  const auto num = static_cast<std::size_t>(experts_);
  return std::span(counts_).subspan((step * layers_.size() + layer) * num, num);
}

std::int64_t RouterTrace::total(std::size_t step, std::size_t layer) const {
  const auto of_layer = counts(step, layer);
  return std::accumulate(of_layer.begin(), of_layer.end(), std::int64_t{0});
}

RouterTrace parse_router_trace(std::string_view text, const std::string& where, std::int64_t experts) {
  std::vector<Row> rows = read_rows(parse_csv(text, where), experts);
  sort_rows(rows, where);
  const std::vector<std::int64_t> layers = distinct(rows, &Row::layer);
  const std::vector<Group> groups = group_rows(rows);
  check_sums(groups, layers, where);
  if (experts == 0) {
    for (const Row& row : rows) experts = std::max(experts, row.expert + 1);
  }
  RouterTrace trace(distinct(rows, &Row::step), layers, experts);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto counts = trace.counts(g / layers.size(), g % layers.size());
    for (std::size_t i = groups[g].begin; i < groups[g].end; ++i) {
      counts[static_cast<std::size_t>(rows[i].expert)] = rows[i].tokens;
    }
  }
  return trace;
}

RouterTrace read_router_trace(const std::filesystem::path& path, std::int64_t experts) {
  return parse_router_trace(read_file(path), path.string(), experts);
}

std::string to_csv(const RouterTrace& trace) {
  std::string out = "step,layer,expert,tokens\n";
  for (std::size_t s = 0; s < trace.steps().size(); ++s) {
    for (std::size_t l = 0; l < trace.layers().size(); ++l) {
      const auto counts = trace.counts(s, l);
      for (std::size_t e = 0; e < counts.size(); ++e) {
        if (counts[e] == 0 && e + 1 < counts.size()) continue;
        fmt::format_to(std::back_inserter(out), "{},{},{},{}\n", trace.steps()[s], trace.layers()[l], e, counts[e]);
      }
    }
  }
  return out;
}

void write_router_trace(const std::filesystem::path& path, const RouterTrace& trace) {
  write_file(path, to_csv(trace));
}

}  // namespace filigree::plan
