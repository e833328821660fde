#include <memory>

#include <fmt/format.h>

#include "base/table.h"
#include "commands.h"
#include "dynamics_inputs.h"
#include "frame.h"

namespace filigree::cli {
namespace {

struct Options {
  std::string name;
  Output output;
};

Json method_json(const dynamics::Method& method) {
  Json json;
  json["name"] = method.name;
  json["description"] = method.description;
  json["options"] = Json::array();
  for (const FieldHelp& field : method.fields) {
    Json one;
    one["key"] = field.name;
    one["default"] = field.standard;
    one["help"] = field.help;
    json["options"].push_back(std::move(one));
  }
  return json;
}

void list_all(const Output& output) {
  if (output.as_json()) {
    Json list = Json::array();
    for (const dynamics::Method& method : dynamics::all_methods()) list.push_back(method_json(method));
    return emit(output, list);
  }
  Table table({"name", "what it is"});
  for (const dynamics::Method& method : dynamics::all_methods()) table.row({method.name, method.description});
  emit(output, table.text() + "\n'filigree dynamics methods NAME' lists the options of one.\n");
}

void run(const Options& options) {
  if (options.name.empty()) return list_all(options.output);
  const dynamics::Method& method = read_method(options.name);
  if (options.output.as_json()) return emit(options.output, method_json(method));
  Table table({"option", "default", "what it is"});
  for (const FieldHelp& field : method.fields) table.row({field.name, field.standard, field.help});
  table.align(1, Align::left);
  emit(options.output, fmt::format("{}: {}\n\n{}", method.name, method.description, table.text()));
}

}  // namespace

void setup_dynamics_methods(CLI::App& dynamics) {
  CLI::App* command = add_command(
      dynamics, {"methods", "List the methods, or the options of one, for --set.", "filigree dynamics methods mlp"});
  const auto options = std::make_shared<Options>();
  command->add_option("name", options->name, "a method whose options are listed")->type_name("NAME");
  add_output(*command, options->output);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
