#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

/// Reading files of other programs, where unknown keys are allowed and a bad value is one sentence with its place.
namespace filigree::text {

/// One value of a JSON file that knows where it stands. It must not outlive the JSON.
class JsonPart {
 public:
  JsonPart(const Json& json, std::string where, std::string path = "")
      : json_(&json), where_(std::move(where)), path_(std::move(path)) {}

  const Json& json() const { return *json_; }
  const std::string& where() const { return where_; }
  const std::string& path() const { return path_; }

  /// "tokenizer.json: model.type", for messages.
  std::string place() const { return path_.empty() ? where_ : where_ + ": " + path_; }

  /// The value of a key; nullopt where it is missing or null.
  std::optional<JsonPart> find(const std::string& key) const;

  /// The value of a key that must be there.
  JsonPart at(const std::string& key) const;

  /// The members of a list.
  std::vector<JsonPart> items() const;

  std::string string() const;
  std::int64_t integer() const;
  std::string string(const std::string& key) const { return at(key).string(); }
  std::string string_or(const std::string& key, const std::string& otherwise) const;
  bool flag_or(const std::string& key, bool otherwise) const;

 private:
  const Json* json_;
  std::string where_, path_;
};

}  // namespace filigree::text
