#include <algorithm>
#include <cmath>
#include <memory>
#include <span>

#include <fmt/format.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "commands.h"
#include "dynamics/auto_forecast.h"
#include "dynamics/npy.h"
#include "dynamics_inputs.h"
#include "dynamics_pictures.h"
#include "frame.h"

namespace filigree::cli {
namespace {

using dynamics::Dataset;
using dynamics::Matrix;

struct Options {
  DataInputs data;
  std::string method, model, future, output, plot;
  std::vector<std::string> set;
  std::optional<double> dt;
  std::int64_t horizon = 0, seed = 0;
  int threads = 1;
  bool json = false;
};

struct Forecast {
  std::string method;
  Matrix values;                       ///< (horizon, coordinates)
  Matrix band = {};                    ///< as `values`, or empty
  std::vector<std::string> statement;  ///< what was chosen, why and how sure it is
};

Forecast forecast_automatically(const Dataset& data, const Options& options) {
  if (data.num_controls() > 0) {
    throw UsageError("dynamics forecast: --method auto takes no controls; name a method that does, such as mlp");
  }
  Forecast result{"auto", Matrix(options.horizon, data.dimension()), Matrix(options.horizon, data.dimension()), {}};
  const Matrix& states = data.runs.back().states;
  for (Eigen::Index j = 0; j < data.dimension(); ++j) {
    const std::string& name = data.names[static_cast<std::size_t>(j)];
    dynamics::AutoOptions automatic;
    automatic.horizon = options.horizon;
    automatic.threads = options.threads;
    try {
      const auto found =
          dynamics::auto_forecast({states.col(j).data(), static_cast<std::size_t>(states.rows())}, automatic);
      result.values.col(j) = found.forecast;
      result.band.col(j) = found.band;
      for (const std::string& line : found.statement) {
        result.statement.push_back(data.dimension() > 1 ? fmt::format("{}: {}", name, line) : line);
      }
    } catch (const Error& error) {
      fail("{}: column '{}': {}", options.data.input, name, error.what());
    }
  }
  return result;
}

/// The controls at the newest sample and after it, as Model::forecast takes them.
Matrix read_future(const Dataset& data, const Options& options) {
  if (data.num_controls() == 0) {
    if (!options.future.empty()) {
      throw UsageError("dynamics forecast: --future holds controls; name their columns with --controls");
    }
    return {};
  }
  if (options.future.empty()) {
    fail("{}: the system is driven by {}, so its forecast needs their future values: give them with --future",
         options.data.input, text::join(data.control_names, ", "));
  }
  dynamics::ReadDataOptions read;
  read.columns = data.control_names;
  read.time = options.data.read.time;
  const Dataset future = dynamics::read_data(options.future, read);
  const Matrix& rows = future.runs.front().states;
  if (rows.rows() < options.horizon - 1) {
    fail("{}: has {} rows, but a forecast of {} samples needs at least {}", options.future, rows.rows(),
         options.horizon, options.horizon - 1);
  }
  Matrix controls(options.horizon, data.num_controls());
  controls.row(0) = data.runs.back().controls.bottomRows(1);
  controls.bottomRows(options.horizon - 1) = rows.topRows(options.horizon - 1);
  return controls;
}

dynamics::ModelPtr load_fitted(const Dataset& data, const Options& options) {
  dynamics::SavedModel saved = dynamics::read_saved_model(options.model);
  const std::string& where = options.data.input;
  if (saved.names.size() != data.names.size() || saved.control_names.size() != data.control_names.size()) {
    fail("{}: was fitted to the columns {}, but {} gives {}; choose them with --columns and --controls", options.model,
         text::join(saved.names, ", "), where, text::join(data.names, ", "));
  }
  // Without a column of time the step is not known, and taken as the model's.
  const bool known = data.dt != 1;
  if (known && std::abs(saved.dt - data.dt) > 1e-3 * saved.dt) {
    fail(
        "{}: was fitted to samples {:.6g} apart, but those of {} are {:.6g} apart; fit it again, or use --resample "
        "--dt",
        options.model, saved.dt, where, data.dt);
  }
  return std::move(saved.model);
}

Forecast forecast_by_model(const Dataset& data, const Options& options) {
  const Matrix controls = read_future(data, options);
  dynamics::ModelPtr model;
  if (!options.model.empty()) {
    model = load_fitted(data, options);
  } else {
    const dynamics::Method& method = read_method(options.method);
    dynamics::FitSettings settings;
    settings.options = from_words([&] { return dynamics::parse_options(method, options.set); });
    settings.options = dynamics::suited_options(method, std::move(settings.options), data);
    settings.seed = options.seed;
    TerminalProgress progress(stderr);
    settings.hooks.progress = &progress;
    model = method.fit(data, settings);
  }
  const Matrix& past = data.runs.back().states;
  if (past.rows() < model->history()) {
    fail("{}: has {} samples{}, but the {} model needs {} before a forecast", options.data.input, past.rows(),
         data.runs.size() > 1 ? " in its last run" : "", model->method(), model->history());
  }
  Forecast result{model->method(), model->forecast(past, options.horizon, controls), {}, model->describe()};
  for (Eigen::Index i = 0; i < result.values.rows(); ++i) {
    if (result.values.row(i).allFinite()) continue;
    fail("the forecast of the {} model leaves all bounds after {} of {} samples; ask for fewer, or use another method",
         model->method(), i, options.horizon);
  }
  return result;
}

/// One number a line for one coordinate without a time; else a table like the input.
std::string as_csv(const Dataset& data, const Forecast& forecast) {
  std::string text;
  if (data.dimension() == 1) {
    for (const double value : forecast.values.col(0)) text += fmt::format("{}\n", value);
    return text;
  }
  std::vector<std::vector<std::string>> rows;
  for (Eigen::Index i = 0; i < forecast.values.rows(); ++i) {
    std::vector<std::string>& row = rows.emplace_back();
    for (Eigen::Index j = 0; j < data.dimension(); ++j) row.push_back(fmt::format("{}", forecast.values(i, j)));
  }
  return to_csv(data.names, rows);
}

std::string as_npy(const Forecast& forecast) {
  dynamics::NpyArray array;
  array.shape = {forecast.values.rows(), forecast.values.cols()};
  if (forecast.values.cols() == 1) array.shape.pop_back();
  for (Eigen::Index i = 0; i < forecast.values.rows(); ++i) {
    for (Eigen::Index j = 0; j < forecast.values.cols(); ++j) array.values.push_back(forecast.values(i, j));
  }
  return dynamics::npy_bytes(array);
}

Json as_json(const Dataset& data, const Forecast& forecast) {
  Json json;
  json["method"] = forecast.method;
  json["names"] = data.names;
  json["forecast"] = dynamics::matrix_json(forecast.values);
  json["band"] = forecast.band.size() > 0 ? dynamics::matrix_json(forecast.band) : Json(nullptr);
  json["statement"] = forecast.statement;
  return json;
}

void run(Options options) {
  if (!options.model.empty() && !options.method.empty()) {
    throw UsageError("dynamics forecast: give --method or --model, not both");
  }
  if (options.method.empty()) options.method = "auto";
  const bool automatic = options.model.empty() && text::lower(options.method) == "auto";
  if ((automatic || !options.model.empty()) && !options.set.empty()) {
    throw UsageError("dynamics forecast: --set goes with --method NAME; auto and --model leave nothing to set");
  }
  if (!automatic && options.model.empty()) read_method(options.method);
  options.data.read.dt = options.dt;
  const Dataset data = read_dataset(options.data);
  const Forecast forecast = automatic ? forecast_automatically(data, options) : forecast_by_model(data, options);
  std::string picture;
  if (!options.plot.empty()) {
    picture = draw(forecast_plot(data, forecast.values, forecast.band), image_format(options.plot));
  }
  for (const std::string& line : forecast.statement) fmt::print(stderr, "{}\n", line);
  if (data.runs.size() > 1) fmt::print(stderr, "The forecast goes on from the last of {} runs.\n", data.runs.size());
  if (!options.output.empty()) {
    const std::string low = text::lower(options.output);
    write_file(options.output, low.ends_with(".npy")    ? as_npy(forecast)
                               : low.ends_with(".json") ? to_text(as_json(data, forecast))
                                                        : as_csv(data, forecast));
    report_written(options.output);
  }
  if (!options.plot.empty()) {
    write_file(options.plot, picture);
    report_written(options.plot);
  }
  if (options.json) return emit({}, as_json(data, forecast));
  if (options.output.empty()) emit({}, as_csv(data, forecast));
}

}  // namespace

void setup_dynamics_forecast(CLI::App& dynamics) {
  CLI::App* command =
      add_command(dynamics, {"forecast", "Forecast a series of measurements.",
                             "filigree dynamics forecast --input series.csv --horizon 200 --output forecast.csv"});
  const auto options = std::make_shared<Options>();
  add_data_inputs(*command, options->data);
  command->get_option("--input")->required();
  command->add_option("-H,--horizon", options->horizon, "samples to forecast")
      ->required()
      ->check(whole_number(1, 1'000'000))
      ->type_name("N");
  command
      ->add_option("-m,--method", options->method,
                   "auto (each column by itself, chosen by held-out parts of it), or " +
                       text::join(dynamics::method_names(), ", "))
      ->type_name("NAME");
  command->add_option("--model", options->model, "a model that 'filigree dynamics fit' wrote, in place of a method")
      ->type_name("FILE");
  add_set(*command, options->set, "options of the method: delay.count=8,neighbours=30");
  command->add_option("--future", options->future, "coming values of the controls, a CSV file with their columns")
      ->type_name("FILE");
  add_step_and_seed(*command, options->dt, options->seed);
  add_threads(*command, options->threads);
  command->add_flag("--json", options->json, "print the forecast, its band and the reasons as JSON, for scripts");
  command
      ->add_option("-o,--output", options->output,
                   "write the forecast: one number a line, or a column for each; name.npy or name.json in that form")
      ->type_name("FILE");
  add_picture(*command, "--plot", options->plot, "draw the end of the first column and its forecast (.png or .svg)");
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
