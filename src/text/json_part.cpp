#include "text/json_part.h"

namespace filigree::text {
namespace {

[[noreturn]] void wrong(const JsonPart& part, std::string_view expected) {
  detail::wrong_type(part.where(), part.path().empty() ? "the top level" : part.path(), expected, part.json());
}

}  // namespace

std::optional<JsonPart> JsonPart::find(const std::string& key) const {
  if (!json_->is_object()) wrong(*this, "an object");
  const auto found = json_->find(key);
  if (found == json_->end() || found->is_null()) return std::nullopt;
  return JsonPart(*found, where_, detail::child_path(path_, key));
}

JsonPart JsonPart::at(const std::string& key) const {
  auto found = find(key);
  if (!found) detail::missing_key(key, where_, path_);
  return *found;
}

std::vector<JsonPart> JsonPart::items() const {
  if (!json_->is_array()) wrong(*this, "a list");
  std::vector<JsonPart> parts;
  for (std::size_t i = 0; i < json_->size(); ++i)
    parts.emplace_back((*json_)[i], where_, fmt::format("{}[{}]", path_, i));
  return parts;
}

std::string JsonPart::string() const {
  if (!json_->is_string()) wrong(*this, "a text");
  return json_->get<std::string>();
}

std::int64_t JsonPart::integer() const { return detail::read_integer(*json_, where_, path_); }

std::string JsonPart::string_or(const std::string& key, const std::string& otherwise) const {
  const auto found = find(key);
  return found ? found->string() : otherwise;
}

bool JsonPart::flag_or(const std::string& key, bool otherwise) const {
  const auto found = find(key);
  if (!found) return otherwise;
  if (!found->json().is_boolean()) wrong(*found, "true or false");
  return found->json().get<bool>();
}

}  // namespace filigree::text
