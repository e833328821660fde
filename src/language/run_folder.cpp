#include "language/run_folder.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "base/lines.h"
#include "base/text.h"

namespace filigree::language {
namespace {

namespace fs = std::filesystem;

bool holds_model(const fs::path& folder) { return fs::is_regular_file(folder / "config.json"); }

/// The number at the end of a name: 200 of "step-000200".
std::optional<std::int64_t> number_of(const std::string& name) {
  const std::size_t at = name.find_last_not_of("0123456789");
  return filigree::text::parse_int(at == std::string::npos ? name : name.substr(at + 1));
}

/// The model of the checkpoint with the highest number; empty where there is none.
fs::path newest_model(const fs::path& checkpoints) {
  fs::path newest;
  std::int64_t highest = -1;
  if (!fs::is_directory(checkpoints)) return newest;
  for (const fs::directory_entry& entry : fs::directory_iterator(checkpoints)) {
    const std::optional<std::int64_t> number = number_of(entry.path().filename().string());
    if (!number || *number <= highest || !holds_model(entry.path() / "model")) continue;
    highest = *number;
    newest = entry.path() / "model";
  }
  return newest;
}

/// Adds what one line of metrics says, if it does.
void add_line(const Json& line, const std::string& where, std::map<std::int64_t, std::vector<double>>& out) {
  if (!line.is_object()) fail("{}: is no JSON object; metrics.jsonl has one a line", where);
  const auto step = line.find("step"), variation = line.find("expert_load_variation");
  if (step == line.end() || variation == line.end()) return;
  const bool numbers = variation->is_array() && std::all_of(variation->begin(), variation->end(),
                                                            [](const Json& value) { return value.is_number(); });
  if (!step->is_number_integer() || !numbers) {
    fail("{}: step must be a whole number and expert_load_variation a list of numbers", where);
  }
  out[step->get<std::int64_t>()] = variation->get<std::vector<double>>();
}

}  // namespace

fs::path model_folder(const fs::path& path) {
  if (!fs::is_directory(path)) {
    fail("{}: is no folder; expected a model (config.json and safetensors) or a training run", path.string());
  }
  if (holds_model(path)) return path;
  if (holds_model(path / "model")) return path / "model";
  const fs::path newest = newest_model(path / "checkpoints");
  if (newest.empty()) {
    fail("{}: holds no model: there is neither config.json, nor model/config.json, nor a checkpoint in checkpoints/",
         path.string());
  }
  return newest;
}

bool is_run_folder(const fs::path& path) { return !holds_model(path) && fs::is_regular_file(path / "metrics.jsonl"); }

BalanceHistory balance_history(const fs::path& run) {
  BalanceHistory history;
  const fs::path path = run / "metrics.jsonl";
  if (!fs::is_regular_file(path)) return history;
  std::map<std::int64_t, std::vector<double>> found;
  for (const TextLine& line : read_lines(path)) {
    if (line.ended)
      add_line(parse_json(line.text, line.where), line.where, found);  // else the run was killed meanwhile
  }
  for (auto& [step, variation] : found) {
    if (!history.variation.empty() && history.variation.front().size() != variation.size()) {
      fail("{}: step {} has numbers of {} layers with experts, and steps before have {}", path.string(), step,
           variation.size(), history.variation.front().size());
    }
    history.steps.push_back(step);
    history.variation.push_back(std::move(variation));
  }
  return history;
}

}  // namespace filigree::language
