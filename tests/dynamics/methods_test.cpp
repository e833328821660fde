#include "dynamics/methods.h"

#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace filigree::dynamics {
namespace {

using testing::HasSubstr;

/// What the error says.
template <class Statement>
std::string message_of(const Statement& statement) {
  try {
    statement();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

/// A circle, two coordinates.
Dataset circle(Eigen::Index samples) {
  Dataset data{{"x", "y"}, {}, 0.1, {}};
  Matrix states(samples, 2);
  for (Eigen::Index i = 0; i < samples; ++i) {
    states(i, 0) = std::cos(0.1 * static_cast<double>(i));
    states(i, 1) = std::sin(0.1 * static_cast<double>(i));
  }
  data.runs.push_back({states});
  return data;
}

TEST(Methods, NamesAreUniqueAndFound) {
  std::set<std::string> names;
  for (const Method& method : all_methods()) {
    EXPECT_TRUE(names.insert(method.name).second) << method.name;
    EXPECT_FALSE(method.description.empty()) << method.name;
    EXPECT_EQ(&find_method(method.name), &method);
    EXPECT_FALSE(method.fields.empty()) << method.name;
  }
  EXPECT_EQ(find_method("Local-Linear").name, "local_linear");
  EXPECT_EQ(find_method("polynomial_propagator").name, "polynomial_propagator");
  EXPECT_THAT(message_of([&] { static_cast<void>(find_method("analogue")); }),
              HasSubstr("no method is called 'analogue'; did you mean 'analog'?"));
}

TEST(Methods, OptionsFromWords) {
  const Method& mlp = find_method("mlp");
  const Json options = parse_options(mlp, {"hidden=8+4,activation=sine", "training.epochs=7,training.lm.iterations=3"});
  EXPECT_EQ(options["hidden"], Json({8, 4}));
  EXPECT_EQ(options["activation"], "sine");
  const Json whole = mlp.complete(options);
  EXPECT_EQ(whole["training"]["epochs"], 7);
  EXPECT_EQ(whole["history"], 1);
  EXPECT_THAT(message_of([&] { static_cast<void>(parse_options(mlp, {"training.epoch=7"})); }),
              HasSubstr("unknown key 'epoch'"));
  EXPECT_THAT(message_of([&] { static_cast<void>(parse_options(mlp, {"training.epochs.deep=7"})); }),
              HasSubstr("epochs"));
  EXPECT_THAT(message_of([&] { static_cast<void>(parse_options(mlp, {"hidden"})); }),
              HasSubstr("not of the form key=value"));
  EXPECT_THAT(message_of([&] { static_cast<void>(parse_options(mlp, {"activation=tan"})); }), HasSubstr("activation"));
  EXPECT_THAT(message_of([&] { static_cast<void>(parse_options(mlp, {"training=7"})); }), HasSubstr("training"));
}

TEST(Methods, FieldsAreDotted) {
  const Method& mlp = find_method("mlp");
  std::set<std::string> keys;
  for (const FieldHelp& field : mlp.fields) keys.insert(field.name);
  EXPECT_TRUE(keys.contains("hidden"));
  EXPECT_TRUE(keys.contains("training.adam.rate") || keys.contains("training.epochs"));
  EXPECT_FALSE(keys.contains("training"));
}

TEST(Methods, SavedModelsForecastTheSame) {
  const Dataset data = circle(200);
  const Matrix& past = data.runs[0].states;
  for (const Method& method : all_methods()) {
    if (method.name == "leads" || method.name == "havok") continue;  // several runs; no forecasts
    FitSettings settings;
    if (method.complete(Json::object()).contains("training")) settings.options["training"]["epochs"] = 2;
    if (method.name == "stnn") settings.options["trials"] = 1;
    const ModelPtr model = method.fit(data, settings);
    EXPECT_EQ(model->method(), method.name);
    const Json json = parse_json(to_text(saved_model_json(*model, data)), "text");
    const ModelPtr again = load_model(json, "model.json");
    EXPECT_EQ(again->forecast(past, 10), model->forecast(past, 10)) << method.name;
  }
}

TEST(Methods, LeadsTakesRunsAsEnvironments) {
  Dataset data = circle(20);
  const Method& leads = find_method("leads");
  FitSettings settings;
  settings.options["epochs"] = 2;
  EXPECT_THAT(message_of([&] { static_cast<void>(leads.fit(data, settings)); }),
              HasSubstr("needs a run of each, but there is one run"));
  data.runs.push_back({data.runs[0].states * 0.5});
  EXPECT_EQ(leads.fit(data, settings)->method(), "leads");
  settings.options["environment"] = 2;
  EXPECT_THAT(message_of([&] { static_cast<void>(leads.fit(data, settings)); }),
              HasSubstr("there is no environment 2, only 0 to 1"));
}

TEST(Methods, WhatIsNoModel) {
  EXPECT_THAT(message_of([&] { static_cast<void>(load_model(Json::array(), "m.json")); }),
              HasSubstr("m.json: is not a saved model"));
  EXPECT_THAT(
      message_of([&] { static_cast<void>(load_model(parse_json(R"({"method": "sindi"})", "m.json"), "m.json")); }),
      HasSubstr("m.json: method 'sindi' is not known; did you mean 'sindy'?"));
}

}  // namespace
}  // namespace filigree::dynamics
