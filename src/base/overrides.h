#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

/// "key=value,key=value" on the command line, and help, from the same visit.
namespace filigree {

/// One field of a config as help shows it.
struct FieldHelp {
  std::string name;
  std::string help;
  std::string standard;  // value that holds when the field is not given; "" where it must be given
};

namespace detail {

/// A value on the command line read as the JSON it stands for: numbers, true/false, else text.
Json json_from_word(std::string_view word);

class FieldLister {
 public:
  template <class T>
  void required(std::string_view name, const T&, std::string_view help, Bounds = any_value) {
    fields.push_back({std::string(name), std::string(help), ""});
  }
  template <class T>
  void optional(std::string_view name, const T& value, std::string_view help, Bounds = any_value) {
    const Json json = write_value(value);
    fields.push_back({std::string(name), std::string(help), json.is_string() ? json.get<std::string>() : json.dump()});
  }
  std::vector<FieldHelp> fields;
};

/// Sets fields that are among the given pairs.
class OverrideReader {
 public:
  OverrideReader(const std::map<std::string, std::string>& pairs, const std::string& where)
      : pairs_(pairs), where_(where) {}
  template <class T>
  void required(std::string_view name, T& out, std::string_view, Bounds bounds = any_value) {
    const auto it = pairs_.find(std::string(name));
    if (it == pairs_.end()) return;
    Json json = json_from_word(it->second);
    if constexpr (std::is_same_v<T, std::string> || std::is_enum_v<T>) json = it->second;
    if constexpr (is_vector<T>::value) {
      json = Json::array();
      for (const std::string& part : text::split(it->second, '+')) json.push_back(json_from_word(part));
    }
    read_value(json, out, bounds, where_, std::string(name));
  }
  template <class T>
  void optional(std::string_view name, T& out, std::string_view help, Bounds bounds = any_value) {
    required(name, out, help, bounds);
  }

 private:
  const std::map<std::string, std::string>& pairs_;
  const std::string& where_;
};

}  // namespace detail

/// Splits "a=1,b=x+y" into pairs. Error on a part without '=' and on a key given twice.
std::map<std::string, std::string> parse_pairs(std::string_view text, const std::string& where);

/// The fields of a config in declaration order.
template <Config T>
std::vector<FieldHelp> list_fields() {
  detail::FieldLister lister;
  T standard{};
  T::visit(standard, lister);
  return lister.fields;
}

/// Sets the named fields; lists are written a+b+c. Error on a key that the config does not have.
template <Config T>
void apply_overrides(T& config, const std::map<std::string, std::string>& pairs, const std::string& where) {
  std::vector<std::string> known;
  for (const FieldHelp& field : list_fields<T>()) known.push_back(field.name);
  for (const auto& [key, value] : pairs) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      fail("{}: unknown key '{}'{} (keys: {})", where, key, text::did_you_mean(key, known), text::join(known, ", "));
    }
  }
  detail::OverrideReader reader(pairs, where);
  T::visit(config, reader);
}

}  // namespace filigree
