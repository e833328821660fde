#include "train/live_page.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/html.h"

namespace filigree::train {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostPoints = 800;  // of a curve; more are not seen

/// The values of a key over the steps; element `index` of it where it is a list.
Series series_of(const std::vector<Json>& lines, const std::string& key, const std::string& name, int index = -1) {
  Series series{.name = name};
  for (const Json& line : lines) {
    if (!line.contains(key) || !line.contains("step")) continue;
    const Json& whole = line[key];
    const auto place = static_cast<std::size_t>(std::max(index, 0));
    if (index >= 0 && (!whole.is_array() || whole.size() <= place)) continue;
    const Json& value = index < 0 ? whole : whole[place];
    if (!value.is_number()) continue;
    series.x.push_back(line["step"].get<double>());
    series.y.push_back(value.get<double>());
  }
  return series;
}

/// Means of neighbours, so that a long run is drawn in as many points as a picture shows.
Series thinned(const Series& series) {
  const std::size_t group = (series.x.size() + kMostPoints - 1) / kMostPoints;
  if (group <= 1) return series;
  Series out{.name = series.name};
  for (std::size_t begin = 0; begin < series.x.size(); begin += group) {
    const std::size_t end = std::min(series.x.size(), begin + group);
    double x = 0, y = 0;
    for (std::size_t i = begin; i < end; ++i) {
      x += series.x[i];
      y += series.y[i];
    }
    out.x.push_back(x / static_cast<double>(end - begin));
    out.y.push_back(y / static_cast<double>(end - begin));
  }
  return out;
}

std::size_t longest_list(const std::vector<Json>& lines, const std::string& key) {
  std::size_t longest = 0;
  for (const Json& line : lines) {
    if (line.contains(key) && line[key].is_array()) longest = std::max(longest, line[key].size());
  }
  return longest;
}

class Plots {
 public:
  explicit Plots(const std::vector<Json>& lines) : lines_(lines) {}

  void add(const std::string& file, const std::string& title, const std::string& y_label,
           const std::vector<std::pair<std::string, std::string>>& keys) {
    Plot plot;
    plot.title = title;
    plot.x_label = "step";
    plot.y_label = y_label;
    plot.height = 300;
    for (const auto& [key, name] : keys) push(plot, thinned(series_of(lines_, key, name)));
    finish(file, std::move(plot));
  }

  void add_lists(const std::string& file, const std::string& title, const std::string& y_label, const std::string& key,
                 const std::string& name) {
    Plot plot;
    plot.title = title;
    plot.x_label = "step";
    plot.y_label = y_label;
    plot.height = 300;
    const std::size_t many = longest_list(lines_, key);
    for (std::size_t i = 0; i < many; ++i) {
      push(plot, thinned(series_of(lines_, key, fmt::format("{} {}", name, i), static_cast<int>(i))));
    }
    finish(file, std::move(plot));
  }

  std::vector<std::pair<std::string, Plot>> all;

 private:
  static void push(Plot& plot, Series series) {
    if (series.x.size() < 2) series.style = SeriesStyle::points;
    if (!series.x.empty()) plot.series.push_back(std::move(series));
  }
  void finish(const std::string& file, Plot plot) {
    if (!plot.series.empty()) all.emplace_back(file, std::move(plot));
  }

  const std::vector<Json>& lines_;
};

std::string newest_sample(const std::vector<Json>& lines) {
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (line->contains("sample") && (*line)["sample"].is_string()) return (*line)["sample"].get<std::string>();
  }
  return {};
}

}  // namespace

std::vector<std::pair<std::string, Plot>> metric_plots(const std::vector<Json>& lines) {
  Plots plots(lines);
  plots.add("loss", "Loss", "nats a token",
            {{"loss", "training, all losses"}, {"language_loss", "training, next token"}, {"eval_loss", "evaluation"}});
  plots.add("reward", "Reward", "mean of a step", {{"reward", "reward"}, {"eval_reward", "evaluation"}});
  plots.add("balance", "Load of the busiest expert over the mean, worst layer", "ratio",
            {{"expert_load_ratio", "busiest expert"}});
  plots.add_lists("variation", "Spread of the experts' load", "standard deviation over mean", "expert_load_variation",
                  "expert layer");
  plots.add_lists("use", "Use of the experts, all layers together", "share of the pairs", "expert_use", "expert");
  plots.add("gradient", "Norm of the gradients", "norm", {{"gradient_norm", ""}});
  plots.add("speed", "Speed", "tokens a second", {{"tokens_per_second", ""}});
  plots.add("mfu", "Share of the matrix-product rate (MFU)", "fraction", {{"mfu", ""}});
  plots.add("rate", "Learning rate", "", {{"learning_rate", ""}});
  return std::move(plots.all);
}

LivePage::LivePage(const RunFolder& run) : run_(run), lines_(run.metrics()), drawn_(Clock::now()) {}

void LivePage::add(const Json& line) { lines_.push_back(line); }

void LivePage::maybe_draw() {
  const Clock::time_point begin = Clock::now();
  if (std::chrono::duration<double>(begin - drawn_).count() < 30 * cost_) return;
  render(true);
  drawn_ = Clock::now();
  cost_ = std::max(0.1, std::chrono::duration<double>(drawn_ - begin).count());
}

void LivePage::finish() { render(false); }

void LivePage::render(bool running) const {
  Html page("Training", run_.path().filename().string());
  if (running) page.refresh(20);
  for (const auto& [name, plot] : metric_plots(lines_)) {
    try {
      page.image_bytes(filigree::draw(plot, ImageFormat::svg), "image/svg+xml", "", plot.title);
    } catch (const Error& error) {
      page.note(fmt::format("There is no picture of '{}': {}", plot.title, error.what()));
    }
  }
  const std::string sample = newest_sample(lines_);
  if (!sample.empty()) page.section("Newest sample").code(sample);
  page.write(run_.path() / "live.html");
}

}  // namespace filigree::train
