#include "language/inspect_report.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"

namespace filigree::language {
namespace {

std::string name_of(const LayerUse& layer) { return fmt::format("{}{}", layer.layer, layer.predictor ? " (MTP)" : ""); }

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::int64_t num_unused(const ExpertUse& use) { return std::count(use.count.begin(), use.count.end(), 0); }

/// "5 (12.1 %), 3 (9.0 %), …": the experts that are used most.
std::string most_used(const ExpertUse& use) {
  constexpr std::size_t kShown = 4;
  std::vector<std::size_t> order(use.share.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return use.share[a] > use.share[b]; });
  std::vector<std::string> words;
  for (std::size_t i = 0; i < std::min(kShown, order.size()); ++i) {
    words.push_back(fmt::format("{} ({})", order[i], percent(use.share[order[i]])));
  }
  return text::join(words, ", ");
}

/// The two experts that are used together most, against independence.
std::string closest_pair(const LayerUse& layer) {
  double best = -1;
  std::string words = "–";
  for (std::size_t a = 0; a < layer.together.size(); ++a) {
    for (std::size_t b = a + 1; b < layer.together.size(); ++b) {
      if (!(layer.together[a][b] > best)) continue;
      best = layer.together[a][b];
      words = fmt::format("{} + {} ({:.1f}×)", a, b, best);
    }
  }
  return words;
}

/// null for what is no number.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json to_json(const ExpertUse& use) {
  Json json;
  json["tokens"] = use.tokens;
  json["count"] = use.count;
  json["share"] = use.share;
  json["load_variation"] = use.variation;
  json["router_entropy"] = use.entropy;
  json["weight"] = use.weight;
  json["routed_norm"] = use.routed;
  json["shared_norm"] = use.shared ? Json(*use.shared) : Json(nullptr);
  return json;
}

}  // namespace

Table layer_table(const Inspection& inspection) {
  Table table({"layer", "load variation", "unused", "specialisation", "router entropy", "routed", "shared",
               "routed / shared", "first weight", "used together most"});
  for (const LayerUse& layer : inspection.layers) {
    const ExpertUse& all = layer.all;
    const double weights = std::accumulate(all.weight.begin(), all.weight.end(), 0.0);
    table.row({name_of(layer), fmt::format("{:.3f}", all.variation), std::to_string(num_unused(all)),
               inspection.labels.size() > 1 ? fmt::format("{:.3f}", layer.specialisation) : "–",
               fmt::format("{:.3f}", all.entropy), fmt::format("{:.3g}", all.routed),
               all.shared ? fmt::format("{:.3g}", *all.shared) : "–",
               all.shared && *all.shared > 0 ? fmt::format("{:.2f}", all.routed / *all.shared) : "–",
               weights > 0 ? percent(all.weight.front() / weights) : "–", closest_pair(layer)});
  }
  return table;
}

Table domain_table(const Inspection& inspection) {
  Table table({"layer", "text", "load variation", "unused", "most used experts"});
  for (std::size_t i = 0; i < inspection.layers.size(); ++i) {
    const LayerUse& layer = inspection.layers[i];
    if (i > 0 && inspection.labels.size() > 1) table.rule();
    for (std::size_t d = 0; d < inspection.labels.size(); ++d) {
      const ExpertUse& use = layer.domains[d];
      table.row({d == 0 ? name_of(layer) : "", inspection.labels[d], fmt::format("{:.3f}", use.variation),
                 std::to_string(num_unused(use)), most_used(use)});
    }
  }
  table.align(4, Align::left);
  return table;
}

Table distance_table(const Inspection& inspection) {
  std::vector<std::string> header{"bits"};
  header.insert(header.end(), inspection.labels.begin(), inspection.labels.end());
  Table table(std::move(header));
  for (std::size_t a = 0; a < inspection.labels.size(); ++a) {
    std::vector<std::string> cells{inspection.labels[a]};
    for (const double bits : inspection.distance[a]) cells.push_back(fmt::format("{:.3f}", bits));
    table.row(std::move(cells));
  }
  return table;
}

Json to_json(const Inspection& inspection, const BalanceHistory& history) {
  Json json;
  json["model"] = inspection.model;
  json["experts"] = inspection.experts;
  json["top_k"] = inspection.top_k;
  json["labels"] = inspection.labels;
  json["random_together"] = inspection.random_together;
  json["distance"] = inspection.distance;
  json["layers"] = Json::array();
  for (const LayerUse& layer : inspection.layers) {
    Json one;
    one["layer"] = layer.layer;
    one["predictor"] = layer.predictor;
    one["specialisation"] = layer.specialisation;
    one["all"] = to_json(layer.all);
    one["domains"] = Json::array();
    for (const ExpertUse& use : layer.domains) one["domains"].push_back(to_json(use));
    one["together"] = Json::array();
    for (const std::vector<double>& row : layer.together) {
      Json cells = Json::array();
      for (const double value : row) cells.push_back(number(value));
      one["together"].push_back(std::move(cells));
    }
    json["layers"].push_back(std::move(one));
  }
  if (!history.steps.empty()) {
    json["balance_steps"] = history.steps;
    json["balance_history"] = history.variation;
  }
  return json;
}

HeatMap use_map(const Inspection& inspection) {
  HeatMap map;
  map.title = "Use of the experts of " + inspection.model;
  map.subtitle = fmt::format("{} experts, {} a token; 1 is an even share", inspection.experts, inspection.top_k);
  map.x_label = "expert";
  map.value_label = "share over even share";
  map.middle = 1;
  map.range.low = 0;
  for (const LayerUse& layer : inspection.layers) {
    for (std::size_t d = 0; d < inspection.labels.size(); ++d) {
      std::vector<double> row = layer.domains[d].share;
      for (double& share : row) share *= static_cast<double>(inspection.experts);
      map.values.push_back(std::move(row));
      map.row_labels.push_back(fmt::format("layer {} · {}", name_of(layer), inspection.labels[d]));
    }
  }
  return map;
}

HeatMap together_map(const Inspection& inspection, const LayerUse& layer) {
  HeatMap map;
  map.title = "Experts used together, layer " + name_of(layer);
  map.subtitle = fmt::format("share of tokens that use both, over independence; drawn at random: {:.2f}",
                             inspection.random_together);
  map.x_label = "expert";
  map.value_label = "times independence";
  map.values = layer.together;
  map.middle = inspection.random_together;
  map.range.low = 0;
  map.height = map.width * 4 / 5;
  for (std::size_t e = 0; e < layer.together.size(); ++e) map.row_labels.push_back(std::to_string(e));
  const auto is_number = [](double value) { return std::isfinite(value); };
  const bool any = std::any_of(map.values.begin(), map.values.end(), [&](const std::vector<double>& row) {
    return std::any_of(row.begin(), row.end(), is_number);
  });
  if (!any) fail("layer {}: fewer than two experts are used, so none are used together", name_of(layer));
  return map;
}

Plot strength_plot(const Inspection& inspection) {
  Plot plot;
  plot.title = "Strength of the experts' outputs";
  plot.y_label = "mean length of a token's output";
  Series routed{.name = "routed", .style = SeriesStyle::bars}, shared{.name = "shared", .style = SeriesStyle::bars};
  for (std::size_t i = 0; i < inspection.layers.size(); ++i) {
    const LayerUse& layer = inspection.layers[i];
    plot.categories.push_back(name_of(layer));
    routed.x.push_back(static_cast<double>(i));
    routed.y.push_back(layer.all.routed);
    if (!layer.all.shared) continue;
    shared.x.push_back(static_cast<double>(i));
    shared.y.push_back(*layer.all.shared);
  }
  plot.x_label = "layer";
  plot.series = {std::move(routed)};
  if (!shared.x.empty()) plot.series.push_back(std::move(shared));
  return plot;
}

Plot balance_plot(const BalanceHistory& history, const Inspection& inspection) {
  FILIGREE_ASSERT(!history.steps.empty());
  Plot plot;
  plot.title = "Balance while training";
  plot.x_label = "step";
  plot.y_label = "standard deviation of expert load over its mean";
  const std::size_t layers = history.variation.front().size();
  for (std::size_t i = 0; i < layers; ++i) {
    Series series;
    series.name = i < inspection.layers.size() ? "layer " + name_of(inspection.layers[i]) : fmt::format("{}", i);
    for (std::size_t s = 0; s < history.steps.size(); ++s) {
      series.x.push_back(static_cast<double>(history.steps[s]));
      series.y.push_back(history.variation[s][i]);
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

Html inspect_page(const Inspection& inspection, const BalanceHistory& history) {
  Html page("Experts of " + inspection.model, fmt::format("{} routed experts, {} a token, on {}", inspection.experts,
                                                          inspection.top_k, text::join(inspection.labels, ", ")));
  page.section("Use")
      .image_bytes(draw(use_map(inspection), ImageFormat::png), "image/png",
                   "Blue: used more than evenly; orange: less.",
                   "Heat map of the use of every expert in every layer and text")
      .table(domain_table(inspection), "Load variation is the standard deviation of an expert's load over its mean.");
  page.section("Layers").table(
      layer_table(inspection),
      "Specialisation: how far the texts' experts differ, 0 the same to 1 none in common. Router entropy: 1 where all "
      "scores are equal. Routed and shared: mean length of a token's output. First weight: the best expert's part of "
      "the "
      "weights.");
  if (inspection.labels.size() > 1) {
    page.section("Between texts")
        .table(distance_table(inspection),
               "Jensen-Shannon divergence of the experts' use, in the mean over the layers.");
  }
  page.section("Strength")
      .image_bytes(draw(strength_plot(inspection), ImageFormat::png), "image/png",
                   "Routed experts against the shared one.",
                   "Bars of the mean output length of routed and shared experts in every layer");
  page.section("Used together");
  for (const LayerUse& layer : inspection.layers) {
    if (closest_pair(layer) == "–") continue;
    page.image_bytes(draw(together_map(inspection, layer), ImageFormat::png), "image/png", "",
                     fmt::format("Heat map of which experts of layer {} are used together", name_of(layer)));
  }
  if (!history.steps.empty()) {
    page.section("Balance while training")
        .image_bytes(draw(balance_plot(history, inspection), ImageFormat::png), "image/png", "From the run's metrics.",
                     "Curves of the load variation of every layer over the steps");
  }
  return page;
}

}  // namespace filigree::language
