#include "plan/explain.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "plan/report.h"
#include "spec/layout_text.h"

namespace filigree::plan {
namespace {

/// Differences below this share of the slower step are not worth a line.
constexpr double kLeastShare = 0.002;

double device_seconds_per_token(const Estimate& e) {
  return e.step_s * static_cast<double>(e.layout.devices) / static_cast<double>(e.layout.gbs * e.layout.seq);
}

double slower_step(const Explanation& x) { return std::max(x.a.step_s, x.b.step_s * x.scale); }

bool matters(const Explanation& x, const ExplainedTerm& term) {
  return std::abs(term.difference()) >= kLeastShare * slower_step(x);
}

/// "expert communication (1.1 s, 73 % of it) and recomputation (…)": up to three terms that go the way of the whole.
std::string deciding_terms(const Explanation& x, double sign) {
  std::vector<std::string> named;
  double sum = 0;
  for (const ExplainedTerm& term : x.terms) {
    if (term.difference() * sign <= 0 || !matters(x, term)) continue;
    if (named.size() == 3 || sum >= 0.9 * std::abs(x.difference)) break;
    named.push_back(fmt::format("{} ({})", term.name, time_text(std::abs(term.difference()))));
    sum += std::abs(term.difference());
  }
  if (named.empty()) return "many small terms";
  std::string list = named.front();
  for (std::size_t i = 1; i < named.size(); ++i) list += (i + 1 == named.size() ? " and " : ", ") + named[i];
  return list;
}

/// "A is 1.09 times as fast as B"
std::string verdict(const Explanation& x) {
  const double slow = slower_step(x), fast = slow - std::abs(x.difference);
  if (slow - fast < kLeastShare * slow) return "A and B are equally fast, within 0.2 %";
  const bool a_wins = x.difference > 0;
  return fmt::format("{} is {:.2f} times as fast as {}", a_wins ? "A" : "B", slow / fast, a_wins ? "B" : "A");
}

std::string memory_remark(const Explanation& x) {
  if (x.a.fits && x.b.fits) return "";
  if (!x.a.fits && !x.b.fits) return " Neither fits into memory.";
  return fmt::format(" But {} does not fit into memory.", x.a.fits ? "B" : "A");
}

}  // namespace

Explanation explain(Estimate a, Estimate b) {
  Explanation x;
  const double work_a = a.step_s / device_seconds_per_token(a), work_b = b.step_s / device_seconds_per_token(b);
  x.scale = work_a / work_b;
  const std::vector<StepPart> parts_a = step_parts(a), parts_b = step_parts(b);
  for (std::size_t i = 0; i < parts_a.size(); ++i) {
    x.terms.push_back({std::string(parts_a[i].name), parts_a[i].seconds, x.scale * parts_b[i].seconds});
  }
  std::stable_sort(x.terms.begin(), x.terms.end(), [](const ExplainedTerm& l, const ExplainedTerm& r) {
    return std::abs(l.difference()) > std::abs(r.difference());
  });
  x.difference = x.scale * b.step_s - a.step_s;
  x.a = std::move(a);
  x.b = std::move(b);
  return x;
}

std::string explain_summary(const Explanation& x) {
  if (std::abs(x.difference) < kLeastShare * slower_step(x)) return verdict(x) + "." + memory_remark(x);
  const bool a_wins = x.difference > 0;
  const double slow = slower_step(x), fast = slow - std::abs(x.difference);
  std::string sentence =
      fmt::format("{}, {} a step against {}{}, because it spends less on {}", verdict(x), time_text(fast),
                  time_text(slow), x.scale == 1 ? "" : " for the same work", deciding_terms(x, a_wins ? 1 : -1));
  const auto against = std::find_if(x.terms.begin(), x.terms.end(), [&](const ExplainedTerm& term) {
    return matters(x, term) && (term.difference() > 0) != a_wins;
  });
  if (against != x.terms.end()) {
    sentence +=
        fmt::format("; against it stands {} ({} more)", against->name, time_text(std::abs(against->difference())));
  }
  return sentence + "." + memory_remark(x);
}

Table explain_table(const Explanation& x) {
  Table table({"part of the step", "A, ms", "B, ms", "B - A, ms", "of the difference"});
  const auto row = [&](const std::string& name, double a, double b) {
    table.row({name, ms_text(a), ms_text(b), (b < a ? "-" : "+") + ms_text(std::abs(b - a)),
               x.difference == 0 ? "" : fmt::format("{:.0f} %", 100 * (b - a) / x.difference)});
  };
  ExplainedTerm rest{"all others", 0, 0};
  for (const ExplainedTerm& term : x.terms) {
    if (matters(x, term)) {
      row(term.name, term.a, term.b);
    } else {
      rest.a += term.a;
      rest.b += term.b;
    }
  }
  if (rest.a != 0 || rest.b != 0) row(rest.name, rest.a, rest.b);
  table.rule();
  row("step", x.a.step_s, x.scale * x.b.step_s);
  return table;
}

std::string explain_text(const Explanation& x) {
  Table table({"", "A", "B"});
  const auto row = [&](std::string name, const auto& value) { table.row({std::move(name), value(x.a), value(x.b)}); };
  row("step", [](const Estimate& e) { return time_text(e.step_s); });
  row("tokens/s a device", [](const Estimate& e) { return rate_text(e.tokens_per_s_per_device); });
  row("MFU", [](const Estimate& e) { return percent(e.mfu); });
  row("memory, GiB",
      [](const Estimate& e) { return fmt::format("{:.1f}{}", gib(e.peak_memory), e.fits ? "" : " (too much)"); });
  table.align(1, Align::right).align(2, Align::right);
  std::string out = fmt::format("A  {}\nB  {}\n\n{}\n{}\n\n", spec::short_text(x.a.layout),
                                spec::short_text(x.b.layout), table.text(), explain_summary(x));
  if (x.scale != 1) {
    out += fmt::format(
        "A trains {} tokens a step on {} devices, B {} on {}: B's times are scaled by {:.4g} to A's work.\n\n",
        rate_text(static_cast<double>(x.a.layout.gbs * x.a.layout.seq)), x.a.layout.devices,
        rate_text(static_cast<double>(x.b.layout.gbs * x.b.layout.seq)), x.b.layout.devices, x.scale);
  }
  return out + explain_table(x).text();
}

Json explain_json(const Explanation& x) {
  const auto side = [](const Estimate& e) {
    Json json;
    json["layout"] = spec::short_text(e.layout);
    json["step_ms"] = 1e3 * e.step_s;
    json["tokens_per_s_per_device"] = e.tokens_per_s_per_device;
    json["mfu"] = e.mfu;
    json["peak_memory_gib"] = gib(e.peak_memory);
    json["fits"] = e.fits;
    return json;
  };
  Json json;
  json["a"] = side(x.a);
  json["b"] = side(x.b);
  json["scale_of_b"] = x.scale;
  json["difference_ms"] = 1e3 * x.difference;
  json["summary"] = explain_summary(x);
  json["terms"] = Json::array();
  for (const ExplainedTerm& term : x.terms) {
    Json entry;
    entry["name"] = term.name;
    entry["a_ms"] = 1e3 * term.a;
    entry["b_ms"] = 1e3 * term.b;
    entry["difference_ms"] = 1e3 * term.difference();
    json["terms"].push_back(std::move(entry));
  }
  return json;
}

Waterfall explain_plot(const Explanation& x) {
  Waterfall plot;
  plot.title = "Where the step's time differs";
  plot.subtitle = verdict(x);
  plot.x_label = "ms a step, on the slowest stage";
  plot.start_label = "A";
  plot.end_label = x.scale == 1 ? "B" : "B, scaled to A's work";
  plot.start = 1e3 * x.a.step_s;
  double rest = 0;
  for (const ExplainedTerm& term : x.terms) {
    if (matters(x, term)) {
      plot.steps.push_back({term.name, 1e3 * term.difference()});
    } else {
      rest += 1e3 * term.difference();
    }
  }
  if (std::abs(rest) > 1e-9 * plot.start) plot.steps.push_back({"all others", rest});
  return plot;
}

}  // namespace filigree::plan
