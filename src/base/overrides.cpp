#include "base/overrides.h"

namespace filigree {

Json detail::json_from_word(std::string_view word) {
  if (word == "true" || word == "false") return Json(word == "true");
  if (const auto whole = text::parse_int(word)) return Json(*whole);
  if (const auto number = text::parse_double(word)) return Json(*number);
  return Json(std::string(word));
}

std::map<std::string, std::string> parse_pairs(std::string_view text, const std::string& where) {
  std::map<std::string, std::string> pairs;
  for (const std::string& part : text::split(text, ',')) {
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) fail("{}: '{}' is not of the form key=value", where, part);
    const std::string key(text::trim(std::string_view(part).substr(0, equals)));
    const std::string value(text::trim(std::string_view(part).substr(equals + 1)));
    if (key.empty() || value.empty()) fail("{}: '{}' is not of the form key=value", where, part);
    if (!pairs.emplace(key, value).second) fail("{}: key '{}' is given twice", where, key);
  }
  return pairs;
}

}  // namespace filigree
