#include "base/json.h"

#include <cmath>

#include "base/file.h"

namespace filigree {

std::string describe(const Bounds& bounds) {
  const bool has_low = std::isfinite(bounds.low), has_high = std::isfinite(bounds.high);
  if (has_low && has_high) {
    return bounds.open_low ? fmt::format("greater than {} and at most {}", bounds.low, bounds.high)
                           : fmt::format("between {} and {}", bounds.low, bounds.high);
  }
  if (has_low) return fmt::format("{} {}", bounds.open_low ? "greater than" : "at least", bounds.low);
  if (has_high) return fmt::format("at most {}", bounds.high);
  return "any number";
}

namespace {

/// Builds a document from the parser's events, and refuses what is too deep or named twice. (A callback of the parser would
/// see the same, but with it, and with its own building of ordered objects, nlohmann-json takes time that grows with the
/// square of an object's length.)
template <class AnyJson>
class Builder : public nlohmann::json_sax<AnyJson> {
 public:
  Builder(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  AnyJson root;

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(std::int64_t value) override { return add(value); }
  bool number_unsigned(std::uint64_t value) override { return add(value); }
  bool number_float(double value, const std::string&) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(typename AnyJson::binary_t&) override { return false; }  // JSON has none

  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return open(AnyJson::object());
  }
  bool key(std::string& name) override {
    if (!keys_.back().insert(name).second) fail("{}: key '{}' appears twice in one object", where_, name);
    name_ = std::move(name);
    return true;
  }
  bool end_object() override {
    keys_.pop_back();
    return close();
  }
  bool start_array(std::size_t) override { return open(AnyJson::array()); }
  bool end_array() override { return close(); }

  bool parse_error(std::size_t byte, const std::string&, const nlohmann::detail::exception& error) override {
    if (dynamic_cast<const nlohmann::detail::parse_error*>(&error) == nullptr) {
      fail("{}: is not valid JSON: a number or a text in it cannot be represented", where_);
    }
    const bool cut = byte > text_.size();
    fail("{}: is not valid JSON: {} at {}", where_, cut ? "it ends too early" : "unexpected text",
         detail::text_place(text_, byte));
  }

 private:
  /// Where the next value stands: at the end of what is open, which has no such key yet.
  AnyJson& place(AnyJson value) {
    if (open_.empty()) return root = std::move(value);
    if (open_.back()->is_array()) return open_.back()->emplace_back(std::move(value));
    auto& object = open_.back()->template get_ref<typename AnyJson::object_t&>();
    if constexpr (std::is_same_v<AnyJson, Json>) {
      object.push_back({std::move(name_), std::move(value)});
      return object.back().second;
    } else {
      return object.emplace(std::move(name_), std::move(value)).first->second;
    }
  }
  bool add(AnyJson value) {
    place(std::move(value));
    return true;
  }
  bool open(AnyJson empty) {
    constexpr std::size_t kMaxDepth = 64;
    if (open_.size() > kMaxDepth) fail("{}: is nested deeper than {} levels", where_, kMaxDepth);
    open_.push_back(&place(std::move(empty)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  const std::string& where_;
  std::string name_;            ///< of the value to come
  std::vector<AnyJson*> open_;  ///< arrays and objects; nothing is added to one while another is open in it
  std::vector<std::set<std::string>> keys_;  ///< of the objects that are open
};

template <class AnyJson>
AnyJson parse(std::string_view text, const std::string& where) {
  if (text::trim(text).empty()) fail("{}: is empty, expected JSON", where);
  Builder<AnyJson> builder(text, where);
  AnyJson::sax_parse(text.begin(), text.end(), &builder);
  return std::move(builder.root);
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) { return parse<Json>(text, where); }

SortedJson parse_sorted_json(std::string_view text, const std::string& where) { return parse<SortedJson>(text, where); }

Json load_json(const std::filesystem::path& path) { return parse_json(read_file(path), path.string()); }

std::string to_text(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

namespace detail {

std::string text_place(std::string_view text, std::size_t byte) {
  byte = std::min(byte, text.size());
  std::size_t line = 1, column = 1;
  for (std::size_t i = 0; i + 1 < byte; ++i) {
    if (text[i] == '\n') {
      ++line;
      column = 1;
    } else {
      ++column;
    }
  }
  return fmt::format("line {}, column {}", line, column);
}

std::string type_name(const Json& json) {
  if (json.is_null()) return "null";
  if (json.is_boolean()) return json.get<bool>() ? "true" : "false";
  if (json.is_number()) return fmt::format("the number {}", json.dump());
  if (json.is_string()) return fmt::format("the text '{}'", json.get<std::string>());
  return json.is_array() ? "a list" : "an object";
}

void wrong_type(const std::string& where, const std::string& path, std::string_view expected, const Json& json) {
  fail("{}: {} must be {}, got {}", where, path, expected, type_name(json));
}

std::string child_path(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

void check_bounds(double value, const Bounds& bounds, const std::string& where, const std::string& path) {
  if (!std::isfinite(value)) fail("{}: {} must be finite", where, path);
  if (!bounds.contain(value)) fail("{}: {} must be {}, got {}", where, path, describe(bounds), value);
}

void missing_key(std::string_view name, const std::string& where, const std::string& path) {
  fail("{}: key '{}' is missing{}", where, name, path.empty() ? std::string(" at the top level") : " in " + path);
}

void check_unknown(const Json& json, const std::vector<std::string>& known, const std::string& where,
                   const std::string& path) {
  for (const auto& [key, value] : json.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    fail("{}: unknown key '{}'{}{}", where, key, path.empty() ? std::string(" at the top level") : " in " + path,
         text::did_you_mean(key, known));
  }
}

void unknown_word(const std::string& word, const std::vector<std::string>& known, const std::string& where,
                  const std::string& path) {
  fail("{}: {} cannot be '{}'{} (one of: {})", where, path, word, text::did_you_mean(word, known),
       text::join(known, ", "));
}

std::int64_t read_integer(const Json& json, const std::string& where, const std::string& path) {
  if (json.is_number_unsigned() &&
      json.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    fail("{}: {} is out of range: {}", where, path, json.dump());
  }
  if (json.is_number_integer()) return json.get<std::int64_t>();
  // 1e6 is a whole number too.
  if (json.is_number_float()) {
    const double value = json.get<double>();
    if (std::nearbyint(value) == value && std::abs(value) < 9e15) return static_cast<std::int64_t>(value);
  }
  wrong_type(where, path, "a whole number", json);
}

}  // namespace detail
}  // namespace filigree
