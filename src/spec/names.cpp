#include "spec/names.h"

#include <cctype>

#include "base/file.h"
#include "base/text.h"

namespace filigree::spec {
namespace {

bool is_separator(char c) { return c == ' ' || c == '_' || c == '.' || c == '-'; }

/// Letters and digits only, in lower case, Llama 3.1 as Llama 3.
std::string key_of(std::string_view name) {
  std::string key;
  for (const char c : text::lower(name)) {
    if (!is_separator(c)) key += c;
  }
  constexpr std::string_view kLlama31 = "llama31";
  // "llama31" needs digits of a size after it: "llama3-1b" is not Llama 3.1.
  if (key.starts_with(kLlama31) && key.size() > kLlama31.size() &&
      std::isdigit(static_cast<unsigned char>(key[7])) != 0) {
    key.erase(6, 1);
  }
  return key;
}

}  // namespace

std::string recipe_name(std::string_view table_name) {
  const std::string_view plain = text::trim(table_name.substr(0, table_name.find('(')));
  const std::string wanted = key_of(plain);
  for (const std::string& name : recipe_names("models")) {
    if (key_of(name) == wanted) return name;
  }
  std::string name = text::lower(plain);
  for (char& c : name) {
    if (c == ' ' || c == '_') c = '-';
  }
  return name;
}

}  // namespace filigree::spec
