#include <memory>

#include <fmt/format.h>

#include "base/table.h"
#include "base/text.h"
#include "commands.h"
#include "dynamics/systems.h"
#include "frame.h"

namespace filigree::cli {
namespace {

constexpr std::string_view kAbsent = "it has a delay, and only ordinary equations are here";

std::string figure(double value) { return fmt::format("{:.4g}", value); }

Json systems_json(const std::vector<dynamics::System>& systems, const std::vector<std::string>& absent) {
  Json json;
  json["systems"] = Json::array();
  for (const dynamics::System& system : systems) {
    Json one;
    one["name"] = system.name;
    one["dimension"] = system.dimension();
    one["coordinates"] = system.coordinates;
    one["description"] = system.description;
    one["dt"] = system.dt;
    one["period"] = system.period > 0 ? Json(system.period) : Json(nullptr);
    one["lyapunov"] = system.lyapunov ? Json(*system.lyapunov) : Json(nullptr);
    one["parameters"] = Json::object();
    for (const auto& [name, value] : system.parameters.all()) one["parameters"][name] = value;
    json["systems"].push_back(std::move(one));
  }
  json["absent"] = Json::array();
  for (const std::string& name : absent) {
    Json one;
    one["name"] = name;
    one["reason"] = kAbsent;
    json["absent"].push_back(std::move(one));
  }
  return json;
}

void run(const Output& output) {
  const std::vector<dynamics::System> systems = dynamics::all_systems();
  const std::vector<std::string> absent = dynamics::absent_systems();
  if (output.as_json()) return emit(output, systems_json(systems, absent));
  Table table({"name", "dimension", "step", "period", "exponent", "what it is"});
  for (const dynamics::System& system : systems) {
    table.row({system.name, fmt::format("{}", system.dimension()), figure(system.dt),
               system.period > 0 ? figure(system.period) : "-", system.lyapunov ? figure(*system.lyapunov) : "-",
               system.description});
  }
  std::string text = table.text();
  text += fmt::format(
      "\n{} systems. step: time between samples that suits it; exponent: the largest Lyapunov exponent, per unit of "
      "time.\n",
      systems.size());
  for (const std::string& name : absent) text += fmt::format("{} is absent: {}.\n", name, kAbsent);
  emit(output, text);
}

}  // namespace

void setup_dynamics_systems(CLI::App& dynamics) {
  CLI::App* command = add_command(
      dynamics, {"systems", "List the systems that can be simulated by name.", "filigree dynamics systems"});
  const auto output = std::make_shared<Output>();
  add_output(*command, *output);
  command->callback([output] { run(*output); });
}

}  // namespace filigree::cli
