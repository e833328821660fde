#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/overrides.h"
#include "dynamics/model.h"
#include "dynamics/training.h"

/// Every method by name, as the command line offers it. A new method is one row of the table in methods.cpp.
namespace filigree::dynamics {

struct FitSettings {
  Json options = Json::object();  ///< in place of the method's defaults, by key; nested as its options are
  std::int64_t seed = 0;          ///< where training is random and the options name no seed
  TrainingHooks hooks = {};
};

struct Method {
  std::string name;               ///< as Model::method() says it
  std::string description;        ///< one line, with the dialect that the defaults follow
  std::vector<FieldHelp> fields;  ///< its options, nested ones as "training.epochs"

  /// The options with every default filled in. Error, with the nearest key, for one that does not exist or is out of
  /// bounds.
  std::function<Json(const Json& options)> complete;
  /// As given here; see suited_options for what one coordinate needs.
  std::function<ModelPtr(const Dataset& data, const FitSettings& settings)> fit;
  std::function<ModelPtr(const Json& json, const std::string& where)> load;
};

/// In the order in which tables show them: simple ones first.
const std::vector<Method>& all_methods();
std::vector<std::string> method_names();

/// The method of that name; upper case does not matter, and '-' stands for '_'. Error with the nearest name.
const Method& find_method(const std::string& name);

/// "key=value" words as options of a method: dots lead into nested options ("training.epochs=50"), lists are written
/// a+b+c. Error where a word has another form, or as Method::complete.
Json parse_options(const Method& method, const std::vector<std::string>& words);

/// The options, with a window of samples where only one coordinate is measured and they name none: 16 samples of history
/// for the perceptron, 100 delays (a quarter of the samples at most) for dmd. Where there are few runs, the
/// published structured network gets some 512 windows an epoch from them together. What forecasts, fits and comparisons use.
Json suited_options(const Method& method, Json options, const Dataset& data);

/// Reads what Model::to_json() of any method wrote, alone or inside a model file. `where` is named in messages.
ModelPtr load_model(const Json& json, const std::string& where);

/// A model with what is needed to forecast data of the same kind.
struct SavedModel {
  std::vector<std::string> names, control_names;
  double dt = 1;
  ModelPtr model;
};

/// The content of a model file: coordinates, controls and step of the data it was fitted to, then the model.
Json saved_model_json(const Model& model, const Dataset& data);

/// Error where the file is no model.
SavedModel read_saved_model(const std::filesystem::path& path);

}  // namespace filigree::dynamics
