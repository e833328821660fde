#include "demo_dynamics.h"

#include <chrono>

#include <fmt/format.h>

#include "base/cancel.h"
#include "base/text.h"
#include "dynamics/methods.h"
#include "dynamics/metrics.h"
#include "dynamics_pictures.h"

namespace filigree::cli {
namespace {

namespace fs = std::filesystem;
using dynamics::ComparedMethod;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kSamples = 3000, kKnown = 1000, kAhead = 200;
constexpr double kStep = 0.02;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// Smaller or shorter than the defaults, so that all methods together take seconds.
const std::vector<std::string>& settings() {
  static const std::vector<std::string> words{"mlp.hidden=16+16",         "mlp.training.epochs=80",
                                              "neural_ode.hidden=16",     "neural_ode.training.epochs=60",
                                              "stnn_published.blocks=64", "stnn_published.hidden=64"};
  return words;
}

dynamics::CompareOptions compare_options(ProgressSink* progress) {
  dynamics::CompareOptions options;
  options.progress = progress;
  std::map<std::string, std::vector<std::string>> words;
  for (const std::string& word : settings()) {
    const std::size_t dot = word.find('.');
    words[word.substr(0, dot)].push_back(word.substr(dot + 1));
  }
  for (const auto& [name, own] : words) {
    options.options[name] = dynamics::parse_options(dynamics::find_method(name), own);
  }
  for (const dynamics::Method& method : dynamics::all_methods()) {
    if (method.name != "leads") options.methods.push_back(method.name);  // it needs several systems
  }
  return options;
}

dynamics::SimulateOptions samples(std::int64_t count) {
  dynamics::SimulateOptions simulate;
  simulate.samples = count;
  simulate.dt = kStep;
  simulate.warm_up = 20;
  return simulate;
}

/// x alone, its end held back and forecast.
void forecast_series(DynamicsDemo& demo, const dynamics::System& lorenz) {
  const dynamics::Dataset whole = dynamics::simulate(lorenz, samples(kKnown + kAhead));
  const dynamics::Trajectory& run = whole.runs.front();
  demo.series = {{"x"}, {}, kStep, {{.states = run.states.topRows(kKnown).leftCols(1), .start = run.start}}};
  demo.truth = run.states.col(0).tail(kAhead);
  const dynamics::Vector known = demo.series.runs.front().states.col(0);
  const auto begin = Clock::now();
  demo.forecast = dynamics::auto_forecast({known.data(), static_cast<std::size_t>(known.size())}, {.horizon = kAhead});
  demo.forecast_seconds = seconds_since(begin);
  demo.smape = dynamics::smape(demo.forecast.forecast, demo.truth);
}

Plot series_plot(const DynamicsDemo& demo) {
  Plot plot = forecast_plot(demo.series, demo.forecast.forecast, demo.forecast.band);
  plot.title = "One column of numbers, continued";
  plot.subtitle = "x of Lorenz' system; the pale band held 80 % of the errors on parts of the series held out";
  Series truth{.name = "truth"};
  for (Eigen::Index i = 0; i < demo.truth.size(); ++i) {
    truth.x.push_back(demo.series.runs.front().start + static_cast<double>(kKnown + i) * kStep);
    truth.y.push_back(demo.truth(i));
  }
  plot.series.insert(plot.series.begin() + 1, std::move(truth));
  return plot;
}

const ComparedMethod* row_of(const dynamics::Comparison& comparison, const std::string& name) {
  for (const ComparedMethod& row : comparison.rows) {
    if (row.name == name && row.reason.empty()) return &row;
  }
  return nullptr;
}

std::string valid(const dynamics::Comparison& comparison, const ComparedMethod& row) {
  return fmt::format("{:.1f} LT", comparison.valid_time(row.valid));
}

void add_cards(Html& page, const DynamicsDemo& demo) {
  std::vector<HtmlCard> cards;
  const auto ordered = dynamics::best_first(demo.comparison);
  if (!ordered.empty()) {
    cards.push_back({"best of all methods", valid(demo.comparison, *ordered.front()), ordered.front()->name});
  }
  if (const ComparedMethod* stnn = row_of(demo.comparison, "stnn")) {
    cards.push_back({"structured network", valid(demo.comparison, *stnn),
                     fmt::format("{} parameters, {:.2f} µs a step", text::with_thousands(stnn->cost.parameters),
                                 stnn->step_nanoseconds / 1000)});
  }
  if (const ComparedMethod* published = row_of(demo.comparison, "stnn_published")) {
    cards.push_back({"structured network as released", valid(demo.comparison, *published),
                     text::with_thousands(published->cost.parameters) + " parameters"});
  }
  cards.push_back({"x alone, method auto", fmt::format("sMAPE {:.1f}", demo.smape),
                   fmt::format("{} samples ahead, in {:.1f} s", kAhead, demo.forecast_seconds)});
  page.cards(cards);
}

}  // namespace

DynamicsDemo learn_dynamics_demo(ProgressSink* progress) {
  const auto begin = Clock::now();
  DynamicsDemo demo;
  demo.set = settings();
  const dynamics::System lorenz = dynamics::find_system("lorenz");
  demo.comparison =
      dynamics::compare(dynamics::simulate_experiment(lorenz, samples(kSamples)), compare_options(progress));
  if (!cancelled()) forecast_series(demo, lorenz);
  demo.seconds = seconds_since(begin);
  return demo;
}

std::string dynamics_demo_text(const DynamicsDemo& demo) {
  std::string text = "\n" + dynamics::comparison_text(demo.comparison) + "\n";
  text += fmt::format("x alone: {} samples, the next {} forecast by method auto; sMAPE {:.2f}\n", kKnown, kAhead,
                      demo.smape);
  for (const std::string& line : demo.forecast.statement) text += line + "\n";
  return text;
}

std::vector<DemoFile> draw_dynamics_demo(const DynamicsDemo& demo, ProgressSink* progress) {
  const dynamics::ComparisonPlots plots = dynamics::comparison_plots(demo.comparison);
  const Plot series = series_plot(demo);
  struct Picture {
    const char *name, *caption, *alt;
    const Plot& plot;
  };
  const Picture pictures[] = {
      {"lorenz-phase.png", "Where the forecasts of the best methods go, beside the truth.",
       "Trajectories of Lorenz' system in a plane, true and forecast", plots.phase},
      {"lorenz-rollout.png", "One roll-out from the same sample: forecasts follow the truth until chaos parts them.",
       "The first coordinate over time, true and as forecast by the best methods", plots.rollout},
      {"lorenz-growth.png", "How errors grow; at 1 the mean would have been as good.",
       "Median error over the length of the forecast, a curve for each method, on a logarithmic scale", plots.growth},
      {"lorenz-forecast.png", "A column of numbers, continued with no choice made by hand.",
       "The end of the known series, then truth and forecast with a band", series}};
  std::vector<DemoFile> files;
  Progress counter(progress, 4, "pictures");
  for (const Picture& picture : pictures) {
    if (cancelled()) break;
    files.push_back({picture.name, draw(picture.plot, ImageFormat::png), picture.caption, picture.alt});
    counter.advance();
  }
  return files;
}

void add_dynamics_demo(Html& page, const DynamicsDemo& demo, const std::vector<DemoFile>& files,
                       const fs::path& folder) {
  const dynamics::Comparison& comparison = demo.comparison;
  const auto picture = [&](const std::string& name) {
    for (const DemoFile& file : files) {
      if (file.name == name) page.image(folder / name, file.caption, file.alt);
    }
  };
  add_cards(page, demo);
  page.paragraph(fmt::format(
      "All methods learned from the same {} simulated samples of Lorenz' system, {} apart, and forecast the same "
      "{} roll-outs of {} samples ({:.0f} Lyapunov times, LT: in one of them small errors grow e-fold).",
      text::with_thousands(comparison.train_samples), comparison.dt, comparison.windows,
      text::with_thousands(comparison.longest), comparison.valid_time(static_cast<double>(comparison.longest))));
  page.section("Every method on the same data");
  page.table(
      dynamics::comparison_table(comparison),
      fmt::format("Errors in standard deviations; a forecast is valid until its error reaches {}.", comparison.limit));
  page.list(dynamics::comparison_remarks(comparison));
  page.note("Networks are smaller or trained shorter than by default, so that all of this takes seconds: " +
            text::join(demo.set, ", ") + ".");
  for (const char* name : {"lorenz-phase.png", "lorenz-rollout.png", "lorenz-growth.png"}) picture(name);
  page.section("One column of numbers, continued");
  picture("lorenz-forecast.png");
  page.list(demo.forecast.statement);
  page.section("Learn your own system");
  page.code(
      "# The next 200 numbers of a column, method and settings chosen from the series itself\n"
      "filigree dynamics forecast --input series.csv --horizon 200 --output forecast.csv --plot forecast.png\n\n"
      "# All methods, with their own settings (minutes)\n"
      "filigree dynamics compare --system lorenz --methods all --plot-folder plots\n\n"
      "# A network for a small computer: one C++ header that needs nothing else\n"
      "filigree dynamics fit --system pendulum --method stnn --output pendulum.json\n"
      "filigree dynamics export --model pendulum.json --output pendulum.h\n\n"
      "# What is claimed, measured again (some 25 minutes)\n"
      "filigree bench dynamics");
}

}  // namespace filigree::cli
