#include <memory>

#include <fmt/format.h>

#include "base/build_info.h"
#include "commands.h"
#include "frame.h"

namespace filigree::cli {
namespace {

struct Options {
  bool json = false;
};

void run(const Options& options) {
  namespace info = build_info;
  if (options.json) {
    Json json;
    json["version"] = info::version;
    json["commit"] = info::commit;
    json["compiler"] = info::compiler;
    json["build_type"] = info::build_type;
    json["sanitizer"] = info::sanitizer;
    return emit({}, json);
  }
  std::string text = fmt::format("filigree {}\ncommit {}, {} build with {}", info::version, info::commit,
                                 info::build_type, info::compiler);
  if (!info::sanitizer.empty()) text += fmt::format(", {} sanitizer", info::sanitizer);
  emit({}, text + "\n");
}

}  // namespace

void setup_version(CLI::App& app) {
  CLI::App* command =
      add_command(app, {"version", "Print the version and how it was built.", "filigree version --json"});
  const auto options = std::make_shared<Options>();
  command->add_flag("--json", options->json, "print JSON, for scripts");
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
