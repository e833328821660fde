#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "spec/model.h"

/// Reading configs in the layout of Hugging Face; inside spec only.
namespace filigree::spec::detail {

/// Takes fields from a published config and remembers which, so that a missing or an unknown one is an error. A missing
/// field reads as 1 until finish() reports it, so that a mistyped key is named as such first.
class HfReader {
 public:
  HfReader(const Json& json, const std::string& where) : json_(json), where_(where) {}

  std::int64_t size(const std::string& key);                          ///< required, at least 1
  std::int64_t size(const std::string& key, std::int64_t standard);   ///< also where it is null
  std::int64_t count(const std::string& key, std::int64_t standard);  ///< as size, 0 allowed
  std::int64_t count(const std::string& key);                         ///< required, 0 allowed
  bool flag(const std::string& key, bool standard);
  std::string word(const std::string& key);  ///< required
  std::string word(const std::string& key, const std::string& standard);
  std::vector<std::string> words(const std::string& key);   ///< empty where absent or null
  std::vector<std::int64_t> sizes(const std::string& key);  ///< likewise

  bool has(const std::string& key) const;  ///< present and not null
  bool is_missing() const { return !missing_.empty(); }

  /// Fields that change nothing that is planned.
  void ignore(const std::vector<std::string_view>& keys);

  /// Error where a flag that would change the model has this value.
  void refuse(bool condition, const std::string& key, std::string_view why) const;

  /// Error for the first unknown key, else for the first missing one.
  void finish() const;

  const std::string& where() const { return where_; }

 private:
  const Json* find(const std::string& key, bool required);

  const Json& json_;
  std::string where_;
  std::set<std::string> known_;
  std::vector<std::string> missing_;
};

/// One family of published models.
struct HfFamily {
  std::string_view type;                         ///< model_type
  std::vector<std::string_view> architectures;   ///< names that stand for it where model_type is absent
  void (*read)(HfReader& reader, Model& model);  ///< fields by name; finish() comes after it
};

const std::vector<HfFamily>& hf_families();

}  // namespace filigree::spec::detail
