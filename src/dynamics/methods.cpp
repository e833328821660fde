#include "dynamics/methods.h"

#include <algorithm>

#include "base/error.h"
#include "base/overrides.h"
#include "base/text.h"
#include "dynamics/analog.h"
#include "dynamics/delay_polynomial.h"
#include "dynamics/dmd.h"
#include "dynamics/havok.h"
#include "dynamics/kernel.h"
#include "dynamics/leads.h"
#include "dynamics/local_linear.h"
#include "dynamics/mlp.h"
#include "dynamics/neural_ode.h"
#include "dynamics/polynomial_propagator.h"
#include "dynamics/sindy.h"
#include "dynamics/stnn.h"
#include "dynamics/stnn_published.h"

namespace filigree::dynamics {
namespace {

/// Fills in the seed where the options have one and the user named none.
template <class Options>
void set_seed(Options& options, const FitSettings& settings) {
  if constexpr (requires { options.training.seed; }) {
    const bool named = settings.options.contains("training") && settings.options["training"].contains("seed");
    if (!named) options.training.seed = settings.seed;
  } else if constexpr (requires { options.seed; }) {
    if (!settings.options.contains("seed")) options.seed = settings.seed;
  }
}

/// The fields of options and of options within them.
class DottedLister {
 public:
  explicit DottedLister(std::string prefix) : prefix_(std::move(prefix)) {}

  template <class T>
  void required(std::string_view name, const T& value, std::string_view help, Bounds = any_value) {
    if constexpr (Config<T>) {
      DottedLister inner(prefix_ + std::string(name) + ".");
      T::visit(value, inner);
      fields.insert(fields.end(), inner.fields.begin(), inner.fields.end());
    } else {
      const Json json = detail::write_value(value);
      fields.push_back({prefix_ + std::string(name), std::string(help), default_text(json)});
    }
  }
  template <class T>
  void optional(std::string_view name, const T& value, std::string_view help, Bounds = any_value) {
    required(name, value, help);
  }

  std::vector<FieldHelp> fields;

 private:
  /// As it would be written on the command line.
  static std::string default_text(const Json& json) {
    if (json.is_string()) return json.get<std::string>();
    if (!json.is_array()) return json.is_null() ? "" : json.dump();
    std::vector<std::string> parts;
    for (const Json& item : json) parts.push_back(item.is_string() ? item.get<std::string>() : item.dump());
    return text::join(parts, "+");
  }

  std::string prefix_;
};

template <class Options>
std::vector<FieldHelp> dotted_fields() {
  DottedLister lister("");
  const Options standard{};
  Options::visit(standard, lister);
  return lister.fields;
}

/// One row of the table. `fit` takes (data, options) or (data, options, hooks).
template <class Options, class Fit>
Method row(std::string name, std::string description, Fit fit, ModelPtr (*load)(const Json&, const std::string&)) {
  const std::string where = "options of " + name;
  Method method{std::move(name), std::move(description), dotted_fields<Options>(), {}, {}, load};
  method.complete = [where](const Json& options) { return to_json(from_json<Options>(options, where)); };
  method.fit = [where, fit](const Dataset& data, const FitSettings& settings) {
    auto options = from_json<Options>(settings.options, where);
    set_seed(options, settings);
    if constexpr (std::is_invocable_v<Fit, const Dataset&, const Options&, const TrainingHooks&>) {
      return fit(data, options, settings.hooks);
    } else {
      return fit(data, options);
    }
  };
  return method;
}

/// LEADS gives a forecaster for each environment; a model is one of them.
struct LeadsModelOptions : LeadsOptions {
  int environment = -1;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    LeadsOptions::visit(self, v);
    v.optional("environment", self.environment, "whose forecaster is kept, from 0; -1: the last", at_least(-1));
  }
};

ModelPtr fit_one_environment(const Dataset& data, const LeadsModelOptions& options, const TrainingHooks& hooks) {
  const bool unnamed =
      std::all_of(data.runs.begin(), data.runs.end(), [](const Trajectory& run) { return run.environment == 0; });
  Dataset named = data;
  if (unnamed) {
    if (data.runs.size() < 2) {
      fail("LEADS learns several related systems together and needs a run of each, but there is one run");
    }
    for (std::size_t i = 0; i < named.runs.size(); ++i) named.runs[i].environment = static_cast<int>(i);
  }
  LeadsFit fit = fit_leads(named, options, hooks);
  const auto count = static_cast<int>(fit.environments.size());
  if (options.environment >= count)
    fail("LEADS: there is no environment {}, only 0 to {}", options.environment, count - 1);
  const int kept = options.environment < 0 ? count - 1 : options.environment;
  return std::move(fit.environments[static_cast<std::size_t>(kept)]);
}

std::vector<Method> make_methods() {
  return {
      row<AnalogOptions>("analog", "mean of what followed the nearest delay vectors (Lorenz 1969)", fit_analog,
                         load_analog),
      row<LocalLinearOptions>("local_linear",
                              "linear fit of the nearest delay vectors at every step (Farmer, Sidorowich 1987)",
                              fit_local_linear, load_local_linear),
      row<KernelOptions>("kernel", "kernel ridge regression on delay vectors (Gaussian process mean)", fit_kernel,
                         load_kernel),
      row<DelayPolynomialOptions>("delay_polynomial",
                                  "next-generation reservoir: polynomials of delay vectors by ridge regression "
                                  "(Gauthier and others 2021)",
                                  fit_delay_polynomial, load_delay_polynomial),
      row<PolynomialPropagatorOptions>("polynomial_propagator",
                                       "polynomial of the present sample by QR (after arXiv 2507.09652)",
                                       fit_polynomial_propagator, load_polynomial_propagator),
      row<SindyOptions>("sindy", "sparse equations by thresholded least squares, PySINDy's form by default", fit_sindy,
                        load_sindy),
      row<DmdOptions>("dmd", "dynamic mode decomposition: the best linear step, exact by default", fit_dmd, load_dmd),
      row<HavokOptions>("havok", "delay coordinates driven by the last of them (Brunton and others 2017); no forecasts",
                        fit_havok, load_havok),
      row<MlpOptions>("mlp", "conventional multi-layer perceptron, Levenberg-Marquardt", fit_mlp, load_mlp),
      row<NeuralOdeOptions>("neural_ode", "perceptron as the right-hand side of an ODE (Chen and others 2018)",
                            fit_neural_ode, load_neural_ode),
      row<StnnOptions>("stnn", "structured network of O(n log n) operations: separate Hankel-like blocks", fit_stnn,
                       load_stnn),
      row<StnnPublishedOptions>("stnn_published",
                                "the structured network as its co-author released it, improved form (LeviLingsch/StNN)",
                                fit_stnn_published, load_stnn_published),
      row<LeadsModelOptions>("leads",
                             "shared field and one for each environment (Yin and others 2021); runs are environments",
                             fit_one_environment, load_leads),
  };
}

std::string plain(std::string_view name) {
  std::string word = text::lower(name);
  std::replace(word.begin(), word.end(), '-', '_');
  return word;
}

/// A word as the JSON that the option of this default takes; lists only where the default is one.
Json value_from_word(const std::string& word, const Json& standard) {
  if (standard.is_string()) return word;
  if (standard.is_array()) {
    Json list = Json::array();
    const bool texts = !standard.empty() && standard.front().is_string();
    for (const std::string& part : text::split(word, '+')) {
      list.push_back(texts ? Json(part) : detail::json_from_word(part));
    }
    return list;
  }
  return detail::json_from_word(word);
}

void set_option(Json& options, const Json& defaults, const std::string& key, const std::string& value) {
  Json* place = &options;
  const Json* standard = &defaults;
  const std::vector<std::string> parts = text::split(key, '.');
  static const Json nothing;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    place = &(*place)[parts[i]];
    standard = standard->is_object() && standard->contains(parts[i]) ? &(*standard)[parts[i]] : &nothing;
  }
  const bool known = standard->is_object() && standard->contains(parts.back());
  (*place)[parts.back()] = value_from_word(value, known ? (*standard)[parts.back()] : nothing);
}

struct SavedHead {
  std::vector<std::string> names, controls;
  double dt = 1;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("names", self.names, "of the coordinates");
    v.required("controls", self.controls, "names of the controls");
    v.required("dt", self.dt, "time between samples", positive);
  }
};

}  // namespace

const std::vector<Method>& all_methods() {
  static const std::vector<Method> methods = make_methods();
  return methods;
}

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const Method& method : all_methods()) names.push_back(method.name);
  return names;
}

const Method& find_method(const std::string& name) {
  for (const Method& method : all_methods()) {
    if (plain(method.name) == plain(name)) return method;
  }
  fail("no method is called '{}'{} (methods: {})", name, text::did_you_mean(text::lower(name), method_names()),
       text::join(method_names(), ", "));
}

Json parse_options(const Method& method, const std::vector<std::string>& words) {
  const Json defaults = method.complete(Json::object());
  Json options = Json::object();
  for (const std::string& word : words) {
    for (const auto& [key, value] : parse_pairs(word, method.name)) set_option(options, defaults, key, value);
  }
  method.complete(options);
  return options;
}

Json suited_options(const Method& method, Json options, const Dataset& data) {
  constexpr Eigen::Index kHistory = 16, kDelays = 100;
  constexpr std::size_t kWindows = 512;
  if (method.name == "stnn_published" && !data.runs.empty() && data.runs.size() < kWindows) {
    Json& training = options["training"];
    if (training.is_null() || (training.is_object() && !training.contains("windows_per_run"))) {
      training["windows_per_run"] = kWindows / data.runs.size();
    }
  }
  if (data.dimension() != 1 || data.runs.empty()) return options;
  if (method.name == "mlp" && !options.contains("history")) options["history"] = kHistory;
  if (method.name == "dmd" && !options.contains("delays")) {
    Eigen::Index shortest = data.runs.front().states.rows();
    for (const Trajectory& run : data.runs) shortest = std::min(shortest, run.states.rows());
    options["delays"] = std::clamp<Eigen::Index>(shortest / 4, 1, kDelays);
  }
  return options;
}

ModelPtr load_model(const Json& json, const std::string& where) {
  if (json.is_object() && json.contains("model")) return load_model(json["model"], where);
  if (!json.is_object() || !json.contains("method") || !json["method"].is_string()) {
    fail("{}: is not a saved model: 'method' is missing; 'filigree dynamics fit' writes one", where);
  }
  const std::string name = json["method"].get<std::string>();
  const std::vector<Method>& methods = all_methods();
  const auto found =
      std::find_if(methods.begin(), methods.end(), [&](const Method& method) { return method.name == name; });
  if (found == methods.end()) {
    fail("{}: method '{}' is not known{}", where, name, text::did_you_mean(name, method_names()));
  }
  return found->load(json, where);
}

Json saved_model_json(const Model& model, const Dataset& data) {
  Json json = to_json(SavedHead{data.names, data.control_names, data.dt});
  json["model"] = model.to_json();
  return json;
}

SavedModel read_saved_model(const std::filesystem::path& path) {
  Json json = load_json(path);
  const std::string where = path.string();
  if (!json.is_object() || !json.contains("model")) {
    fail("{}: is not a saved model: 'model' is missing; 'filigree dynamics fit' writes one", where);
  }
  const Json inner = json["model"];
  json.erase("model");
  auto head = from_json<SavedHead>(json, where);
  return {std::move(head.names), std::move(head.controls), head.dt, load_model(inner, where)};
}

}  // namespace filigree::dynamics
