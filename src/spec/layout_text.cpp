#include "spec/layout_text.h"

#include <filesystem>
#include <system_error>

#include "base/json.h"
#include "base/overrides.h"

namespace filigree::spec {
namespace {

std::string word(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) {
    std::vector<std::string> words;
    for (const Json& item : value) words.push_back(word(item));
    return text::join(words, "+");
  }
  // 12 is shorter than 12.0 and reads back as the same number.
  if (value.is_number_float()) return fmt::format("{}", value.get<double>());
  return value.dump();
}

}  // namespace

Layout parse_layout(const std::string& text_or_path) {
  std::error_code code;
  if (std::filesystem::is_regular_file(text_or_path, code)) return load_config<Layout>(text_or_path);
  if (!text::trim(text_or_path).empty() && text_or_path.find('=') == std::string::npos) {
    fail("layout '{}' is neither a file nor of the form tp=8,pp=16,…", text_or_path);
  }
  Layout layout;
  apply_overrides(layout, parse_pairs(text_or_path, "layout"), "layout");
  return layout;
}

std::string short_text(const Layout& layout) {
  static const Json standard = to_json(Layout{});
  std::vector<std::string> parts;
  const Json given = to_json(layout);
  for (const auto& [key, value] : given.items()) {
    if (value != standard[key]) parts.push_back(fmt::format("{}={}", key, word(value)));
  }
  return text::join(parts, ",");
}

}  // namespace filigree::spec
