#include "spec/hf_reader.h"

namespace filigree::spec::detail {
namespace {

// No published size comes near; products of two of them do not overflow.
constexpr Bounds any_size = between(1, 1 << 30);
constexpr Bounds any_count = between(0, 1 << 30);

}  // namespace

const Json* HfReader::find(const std::string& key, bool required) {
  known_.insert(key);
  const auto it = json_.find(key);
  if (it != json_.end()) return it->is_null() && !required ? nullptr : &*it;
  if (required) missing_.push_back(key);
  return nullptr;
}

std::int64_t HfReader::size(const std::string& key) {
  std::int64_t value = 1;
  if (const Json* json = find(key, true)) filigree::detail::read_value(*json, value, any_size, where_, key);
  return value;
}

std::int64_t HfReader::size(const std::string& key, std::int64_t standard) {
  if (const Json* json = find(key, false)) filigree::detail::read_value(*json, standard, any_size, where_, key);
  return standard;
}

std::int64_t HfReader::count(const std::string& key) {
  std::int64_t value = 0;
  if (const Json* json = find(key, true)) filigree::detail::read_value(*json, value, any_count, where_, key);
  return value;
}

std::int64_t HfReader::count(const std::string& key, std::int64_t standard) {
  if (const Json* json = find(key, false)) filigree::detail::read_value(*json, standard, any_count, where_, key);
  return standard;
}

bool HfReader::flag(const std::string& key, bool standard) {
  if (const Json* json = find(key, false)) filigree::detail::read_value(*json, standard, any_value, where_, key);
  return standard;
}

std::string HfReader::word(const std::string& key) {
  std::string value;
  if (const Json* json = find(key, true)) filigree::detail::read_value(*json, value, any_value, where_, key);
  return value;
}

std::string HfReader::word(const std::string& key, const std::string& standard) {
  std::string value = standard;
  if (const Json* json = find(key, false)) filigree::detail::read_value(*json, value, any_value, where_, key);
  return value;
}

std::vector<std::string> HfReader::words(const std::string& key) {
  std::vector<std::string> values;
  if (const Json* json = find(key, false)) filigree::detail::read_value(*json, values, any_value, where_, key);
  return values;
}

std::vector<std::int64_t> HfReader::sizes(const std::string& key) {
  std::vector<std::int64_t> values;
  if (const Json* json = find(key, false)) filigree::detail::read_value(*json, values, any_count, where_, key);
  return values;
}

bool HfReader::has(const std::string& key) const {
  const auto it = json_.find(key);
  return it != json_.end() && !it->is_null();
}

void HfReader::ignore(const std::vector<std::string_view>& keys) { known_.insert(keys.begin(), keys.end()); }

void HfReader::refuse(bool condition, const std::string& key, std::string_view why) const {
  if (condition) fail("{}: {} {}", where_, key, why);
}

void HfReader::finish() const {
  filigree::detail::check_unknown(json_, {known_.begin(), known_.end()}, where_, "");
  if (!missing_.empty()) filigree::detail::missing_key(missing_.front(), where_, "");
}

}  // namespace filigree::spec::detail
