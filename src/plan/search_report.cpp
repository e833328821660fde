#include "plan/search_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/table.h"
#include "base/text.h"
#include "plan/report.h"
#include "spec/layout_text.h"

namespace filigree::plan {
namespace {

/// The layout without what all candidates share.
std::string own_text(const spec::Layout& layout, const SearchRequest& request) {
  spec::Layout shown = layout;
  shown.devices = shown.dp = 0;
  shown.gbs = request.base.layout.gbs == layout.gbs ? 0 : layout.gbs;
  shown.seq = spec::Layout{}.seq;
  shown.overlap.clear();
  return spec::short_text(shown);
}

double tokens_per_s_per_device(const MemoryChoice& choice, const SearchResult& result, const SearchRequest& request) {
  return static_cast<double>(result.gbs * result.seq) / choice.step_s / static_cast<double>(request.devices);
}

Table top_table(const SearchResult& result, const SearchRequest& request) {
  Table table({"", "layout", "step", "tokens/s a device", "MFU", "bubble", "exposed", "memory, GiB"});
  int rank = 0;
  for (const FoundLayout& found : result.top) {
    const Estimate& e = found.estimate;
    table.row({std::to_string(++rank), own_text(e.layout, request), time_text(e.step_s),
               rate_text(e.tokens_per_s_per_device), percent(e.mfu), percent(e.bubble_fraction),
               percent(e.exposed_comm_fraction), fmt::format("{:.1f}", gib(e.peak_memory))});
  }
  return table;
}

double rate(const SearchCounts& counts) {
  return counts.seconds > 0 ? static_cast<double>(counts.estimated) / counts.seconds : 0;
}

}  // namespace

std::string nothing_fits(const SearchResult& result, const SearchRequest& request) {
  if (!result.nearest) {
    return fmt::format("no layout of {} on {} devices keeps all rules; the largest families left out: {}",
                       request.model.name, request.devices, counts_text(result.counts));
  }
  const Estimate& e = *result.nearest;
  return fmt::format(
      "no layout of {} on {} devices fits in memory; the nearest, {}, needs {:.1f} of {:.1f} GiB, {:.1f} too much; use "
      "more "
      "devices, recompute or swap more, or shorten --seq",
      request.model.name, request.devices, own_text(e.layout, request), gib(e.peak_memory), gib(e.memory_capacity),
      gib(e.peak_memory - e.memory_capacity));
}

std::string counts_text(const SearchCounts& counts) {
  std::vector<std::string> parts;
  const auto add = [&](std::int64_t count, std::string_view what) {
    if (count > 0) parts.push_back(fmt::format("{} {}", text::with_thousands(count), what));
  };
  add(counts.estimated - counts.unfit, "were estimated and fit");
  add(counts.unfit, "do not fit in memory");
  add(counts.pruned, "cannot be among the best");
  add(counts.repeated, "are the same run as another");
  std::vector<std::pair<std::int64_t, std::string>> rejected;
  for (const auto& [rule, count] : counts.rejected) rejected.emplace_back(count, rule);
  std::sort(rejected.rbegin(), rejected.rend());
  for (const auto& [count, rule] : rejected) add(count, fmt::format("break the rule '{}'", rule));
  return text::join(parts, "\n  ");
}

std::string search_text(const SearchResult& result, const SearchRequest& request,
                        const std::vector<std::string>& assumed) {
  std::string out = fmt::format("{} on {} × {}, {} sequences of {} tokens a step\n\n{}\n", request.model.name,
                                text::with_thousands(request.devices), request.cluster.accelerator.name,
                                text::with_thousands(result.gbs), text::with_thousands(result.seq),
                                top_table(result, request).text());
  const SearchCounts& counts = result.counts;
  spec::Layout shared;
  shared.devices = request.devices, shared.gbs = result.gbs, shared.seq = result.seq;
  shared.overlap = request.base.layout.overlap;
  out += fmt::format("all with {}\n\n", spec::short_text(shared));
  if (result.cancelled) out += "Stopped early: these are the best of what was tried so far.\n";
  out +=
      fmt::format("{} combinations, of which\n  {}\n", text::with_thousands(counts.combinations), counts_text(counts));
  out += fmt::format("{} estimated in {:.2f} s ({} a second); the best {} run as timelines in {:.2f} s\n",
                     text::with_thousands(counts.estimated), counts.seconds,
                     text::with_thousands(static_cast<std::int64_t>(rate(counts))), counts.timelines,
                     counts.timeline_seconds);
  if (request.objective == Objective::cost && !result.top.empty()) {
    out += fmt::format("the best costs ${:.0f} for 10^12 tokens\n",
                       dollars_per_tera_token(result.top.front().estimate, request.cluster));
  }
  if (!assumed.empty()) out += "\nAssumed\n";
  for (const std::string& sentence : assumed) out += fmt::format("  {}\n", sentence);
  if (!result.top.empty())
    out += fmt::format("\n{}.\n", mfu_definition(result.top.front().estimate.layout, request.cluster));
  return out;
}

Json search_json(const SearchResult& result, const SearchRequest& request, const std::vector<std::string>& assumed) {
  Json json = Json::object();
  json["model"] = request.model.name;
  json["cluster"] = request.cluster.name;
  json["devices"] = request.devices;
  json["gbs"] = result.gbs;
  json["seq"] = result.seq;
  json["objective"] = std::string(enum_name(request.objective));
  json["cancelled"] = result.cancelled;
  json["top"] = Json::array();
  for (const FoundLayout& found : result.top) {
    Json row = estimate_json(found.estimate, request.cluster);
    row["layout_text"] = spec::short_text(found.estimate.layout);
    row["closed_form_ms"] = found.closed_form_s * 1e3;
    json["top"].push_back(std::move(row));
  }
  if (result.nearest) json["nearest"] = estimate_json(*result.nearest, request.cluster);
  json["front"] = Json::array();
  for (const MemoryChoice& choice : result.front) {
    Json point;
    point["peak_memory_gib"] = gib(choice.peak_memory);
    point["tokens_per_s_per_device"] = tokens_per_s_per_device(choice, result, request);
    point["layout_text"] = spec::short_text(choice.layout);
    json["front"].push_back(std::move(point));
  }
  const SearchCounts& c = result.counts;
  Json rejected = Json::object();
  for (const auto& [rule, count] : c.rejected) rejected[rule] = count;
  json["counts"] = {
      {"combinations", c.combinations}, {"rejected", rejected},  {"repeated", c.repeated},  {"pruned", c.pruned},
      {"estimated", c.estimated},       {"do_not_fit", c.unfit}, {"timelines", c.timelines}};
  json["seconds"] = c.seconds + c.timeline_seconds;
  json["estimates_per_s"] = rate(c);
  json["space"] = to_json(result.space);
  json["assumed"] = assumed;
  return json;
}

Plot search_plot(const SearchResult& result, const SearchRequest& request) {
  Plot plot;
  plot.title = fmt::format("{} on {} × {}", request.model.name, text::with_thousands(request.devices),
                           request.cluster.accelerator.name);
  plot.subtitle = "the fastest layout that needs no more than so much memory (closed form)";
  plot.x_label = "memory of the fullest device, GiB";
  plot.y_label = "tokens/s a device";
  Series front{.name = "best layouts", .style = SeriesStyle::line_points};
  for (const MemoryChoice& choice : result.front) {
    front.x.push_back(gib(choice.peak_memory));
    front.y.push_back(tokens_per_s_per_device(choice, result, request));
  }
  plot.series.push_back(std::move(front));
  plot.y_range.low = 0;
  return plot;
}

}  // namespace filigree::plan
