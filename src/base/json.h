#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "base/visit.h"

/// JSON with strict keys: unknown, missing, duplicate, mistyped or out-of-bounds values are one clear sentence each.
namespace filigree {

/// Keeps the order of keys, so that what is written reads like its declaration.
using Json = nlohmann::ordered_json;

/// Keys in the order of the alphabet: quick also for objects of many thousand keys, which Json is not.
using SortedJson = nlohmann::json;

/// Parses text; `where` names its origin in messages ("recipes/x.json"). Duplicate keys are errors.
Json parse_json(std::string_view text, const std::string& where);
SortedJson parse_sorted_json(std::string_view text, const std::string& where);

/// Reads and parses a file.
Json load_json(const std::filesystem::path& path);

/// Two-space indentation and a closing newline.
std::string to_text(const Json& json);

namespace detail {

/// Where in a text a byte stands, as "line 3, column 5".
std::string text_place(std::string_view text, std::size_t byte);

std::string type_name(const Json& json);
[[noreturn]] void wrong_type(const std::string& where, const std::string& path, std::string_view expected,
                             const Json& json);
std::string child_path(const std::string& path, std::string_view name);
void check_bounds(double value, const Bounds& bounds, const std::string& where, const std::string& path);
[[noreturn]] void missing_key(std::string_view name, const std::string& where, const std::string& path);
void check_unknown(const Json& json, const std::vector<std::string>& known, const std::string& where,
                   const std::string& path);
[[noreturn]] void unknown_word(const std::string& word, const std::vector<std::string>& known, const std::string& where,
                               const std::string& path);
std::int64_t read_integer(const Json& json, const std::string& where, const std::string& path);

template <class T>
void read_value(const Json& json, T& out, const Bounds& bounds, const std::string& where, const std::string& path);

/// Fills one config from one JSON object and remembers which keys it knows.
class JsonReader {
 public:
  JsonReader(const Json& json, const std::string& where, const std::string& path)
      : json_(json), where_(where), path_(path) {}

  template <class T>
  void required(std::string_view name, T& out, std::string_view, Bounds bounds = any_value) {
    known_.emplace_back(name);
    const auto it = json_.find(name);
    // Unknown keys first: a mistyped key is then named as such rather than as missing.
    if (it == json_.end())
      missing_.emplace_back(name);
    else
      read_value(*it, out, bounds, where_, child_path(path_, name));
  }

  template <class T>
  void optional(std::string_view name, T& out, std::string_view, Bounds bounds = any_value) {
    known_.emplace_back(name);
    const auto it = json_.find(name);
    if (it != json_.end()) read_value(*it, out, bounds, where_, child_path(path_, name));
  }

  void finish() const {
    check_unknown(json_, known_, where_, path_);
    if (!missing_.empty()) missing_key(missing_.front(), where_, path_);
  }

 private:
  const Json& json_;
  const std::string& where_;
  const std::string& path_;
  std::vector<std::string> known_;
  std::vector<std::string> missing_;
};

template <class T>
void read_number(const Json& json, T& out, const Bounds& bounds, const std::string& where, const std::string& path) {
  if constexpr (std::is_integral_v<T>) {
    const std::int64_t value = read_integer(json, where, path);
    if (value < static_cast<std::int64_t>(std::numeric_limits<T>::min()) ||
        value > static_cast<std::int64_t>(std::numeric_limits<T>::max())) {
      fail("{}: {} is out of range: {}", where, path, value);
    }
    out = static_cast<T>(value);
  } else {
    if (!json.is_number()) wrong_type(where, path, "a number", json);
    out = json.get<T>();
  }
  check_bounds(static_cast<double>(out), bounds, where, path);
}

template <class T>
void read_value(const Json& json, T& out, const Bounds& bounds, const std::string& where, const std::string& path) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) wrong_type(where, path, "true or false", json);
    out = json.get<bool>();
  } else if constexpr (std::is_arithmetic_v<T>) {
    read_number(json, out, bounds, where, path);
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) wrong_type(where, path, "a text", json);
    out = json.get<std::string>();
  } else if constexpr (std::is_enum_v<T>) {
    if (!json.is_string()) wrong_type(where, path, "a text", json);
    const auto value = enum_from_name<T>(json.get<std::string>());
    if (!value) unknown_word(json.get<std::string>(), enum_all_names<T>(), where, path);
    out = *value;
  } else if constexpr (is_optional<T>::value) {
    if (json.is_null()) return out.reset();
    read_value(json, out.emplace(), bounds, where, path);
  } else if constexpr (is_vector<T>::value) {
    if (!json.is_array()) wrong_type(where, path, "a list", json);
    out.clear();
    for (std::size_t i = 0; i < json.size(); ++i) {
      typename T::value_type item{};
      read_value(json[i], item, bounds, where, fmt::format("{}[{}]", path, i));
      out.push_back(std::move(item));
    }
  } else if constexpr (is_string_map<T>::value) {
    if (!json.is_object()) wrong_type(where, path, "an object", json);
    out.clear();
    for (const auto& [key, item] : json.items()) read_value(item, out[key], bounds, where, child_path(path, key));
  } else {
    static_assert(Config<T>, "a config field is a number, text, enum, optional, list, map or another config");
    if (!json.is_object()) wrong_type(where, path.empty() ? "the top level" : path, "an object", json);
    JsonReader reader(json, where, path);
    T::visit(out, reader);
    reader.finish();
  }
}

template <class T>
Json write_value(const T& value);

class JsonWriter {
 public:
  template <class T>
  void required(std::string_view name, const T& value, std::string_view, Bounds = any_value) {
    json[std::string(name)] = write_value(value);
  }
  template <class T>
  void optional(std::string_view name, const T& value, std::string_view help, Bounds bounds = any_value) {
    if constexpr (is_optional<T>::value) {
      if (!value) return;
    }
    required(name, value, help, bounds);
  }
  Json json = Json::object();
};

template <class T>
Json write_value(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return std::string(enum_name(value));
  } else if constexpr (is_optional<T>::value) {
    return value ? write_value(*value) : Json(nullptr);
  } else if constexpr (is_vector<T>::value) {
    Json list = Json::array();
    for (const auto& item : value) list.push_back(write_value(item));
    return list;
  } else if constexpr (is_string_map<T>::value) {
    Json object = Json::object();
    for (const auto& [key, item] : value) object[key] = write_value(item);
    return object;
  } else if constexpr (Config<T>) {
    JsonWriter writer;
    T::visit(value, writer);
    return writer.json;
  } else {
    return Json(value);
  }
}

}  // namespace detail

/// Fills a config from JSON; `where` names the origin in messages.
template <Config T>
T from_json(const Json& json, const std::string& where) {
  T out{};
  detail::read_value(json, out, any_value, where, std::string());
  return out;
}

/// Fills a config from a JSON file.
template <Config T>
T load_config(const std::filesystem::path& path) {
  return from_json<T>(load_json(path), path.string());
}

/// The config as JSON, in declaration order.
template <Config T>
Json to_json(const T& config) {
  return detail::write_value(config);
}

}  // namespace filigree
