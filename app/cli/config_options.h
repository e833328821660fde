#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/overrides.h"
#include "frame.h"

/// Every field of a config as an option of its command: learning_rate becomes --learning-rate, with its help and default.
namespace filigree::cli {

using Words = std::map<std::string, std::string>;

/// Fields named in `except` get no option. The words that the user gives go into `words`, for apply_overrides().
template <Config T>
void add_config_options(CLI::App& command, Words& words, const std::vector<std::string>& except = {},
                        const std::string& group = "Settings") {
  for (const FieldHelp& field : list_fields<T>()) {
    if (std::find(except.begin(), except.end(), field.name) != except.end()) continue;
    std::string flag = "--" + field.name;
    std::replace(flag.begin(), flag.end(), '_', '-');
    std::string help = field.help;
    if (!field.standard.empty() && field.standard != "[]" && field.standard != "{}") {
      help += " [" + field.standard + "]";
    }
    const std::string key = field.name;
    command
        .add_option_function<std::string>(
            flag, [&words, key](const std::string& word) { words[key] = word; }, help)
        ->type_name("X")
        ->group(group);
  }
}

}  // namespace filigree::cli
