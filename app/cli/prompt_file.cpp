#include "prompt_file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "text/utf8.h"

namespace filigree::cli {
namespace {

std::string read_object(const std::string& line, const std::string& where) {
  const Json json = parse_json(line, where);
  if (!json.is_object() || !json.contains("prompt")) {
    fail("{}: expected an object with the key \"prompt\"", where);
  }
  std::string prompt;
  detail::read_value(json["prompt"], prompt, any_value, where, std::string("prompt"));
  if (prompt.empty()) fail("{}: the prompt is empty", where);
  return prompt;
}

}  // namespace

std::vector<std::string> read_prompt_file(const std::filesystem::path& path) {
  const bool objects = text::lower(path.string()).ends_with(".jsonl");
  std::vector<std::string> prompts;
  int number = 0;
  for (std::string line : text::split(read_file(path), '\n')) {
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (text::trim(line).empty()) continue;
    const std::string where = fmt::format("{}: line {}", path.string(), number);
    text::check_utf8(line, where);
    prompts.push_back(objects ? read_object(line, where) : line);
  }
  if (prompts.empty()) fail("{}: has no prompts; expected one on each line", path.string());
  return prompts;
}

}  // namespace filigree::cli
