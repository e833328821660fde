#include "text/tokenizer_file.h"

#include <cmath>

#include "text/utf8.h"

namespace filigree::text {
namespace {

constexpr std::size_t kMaxDepth = 64;
/// Objects outside the big lists keep their keys in a list that is searched from its begin.
constexpr std::size_t kMaxKeys = 10'000;

std::pair<std::string, std::string> split_merge(std::string_view text, const std::string& place) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos || space == 0 || space + 1 == text.size() ||
      text.find(' ', space + 1) != std::string_view::npos) {
    fail("{}: '{}' is no merge; expected two pieces with one space between them", place, text);
  }
  return {std::string(text.substr(0, space)), std::string(text.substr(space + 1))};
}

/// Receives the events of nlohmann's parser.
class Reader {
 public:
  Reader(TokenizerFile& file, std::string_view text, const std::string& where, bool all_vocabulary)
      : file_(file), text_(text), where_(where), all_vocabulary_(all_vocabulary) {}

  bool null() { return value(Json(nullptr)); }
  bool boolean(bool v) { return value(Json(v)); }
  bool number_integer(std::int64_t v) { return value(Json(v)); }
  bool number_unsigned(std::uint64_t v) { return value(Json(v)); }
  bool number_float(double v, const std::string&) { return value(Json(v)); }
  bool string(std::string& v) { return value(Json(std::move(v))); }
  bool binary(Json::binary_t&) { return false; }

  bool start_object(std::size_t) {
    deeper();
    if (list_ != List::none) wrong_entry();
    if (list_for_next() == List::vocabulary) {
      list_ = List::vocabulary;
      file_.has_vocabulary = true;
    } else {
      open(Json::object());
    }
    return true;
  }

  bool key(std::string& v) {
    if (list_ == List::vocabulary) {
      key_ = std::move(v);
      return true;
    }
    Json& object = *stack_.back();
    if (object.size() >= kMaxKeys) fail("{}: an object has more than {} keys", where_, kMaxKeys);
    if (object.contains(v)) fail("{}: key '{}' appears twice in one object", where_, v);
    keys_.back() = v;
    key_ = std::move(v);
    return true;
  }

  bool end_object() { return end(); }

  bool start_array(std::size_t) {
    deeper();
    if (list_ == List::none) {
      list_ = list_for_next();
      if (list_ == List::none) {
        open(Json::array());
      } else if (list_ == List::vocabulary) {
        list_ = List::scored;
        file_.has_scored = true;
      }
    } else if (entry_open_ || list_ == List::vocabulary) {
      wrong_entry();
    } else {
      entry_open_ = true;
      parts_.clear();
    }
    return true;
  }

  bool end_array() {
    if (!entry_open_) return end();
    entry_open_ = false;
    --depth_;
    if (list_ == List::merges) {
      if (parts_.size() != 2 || !parts_[0].is_string() || !parts_[1].is_string()) wrong_entry();
      file_.merges.emplace_back(parts_[0].get<std::string>(), parts_[1].get<std::string>());
    } else {
      if (parts_.size() != 2 || !parts_[0].is_string() || !parts_[1].is_number()) wrong_entry();
      const auto score = parts_[1].get<double>();
      if (!std::isfinite(score)) wrong_entry();
      file_.scored.emplace_back(parts_[0].get<std::string>(), score);
    }
    return true;
  }

  bool parse_error(std::size_t byte, const std::string&, const Json::exception& error) {
    if (dynamic_cast<const Json::parse_error*>(&error) == nullptr) {
      fail("{}: is not valid JSON: a number or a text in it cannot be represented", where_);
    }
    fail("{}: is not valid JSON: {} at {}", where_, byte > text_.size() ? "it ends too early" : "unexpected text",
         detail::text_place(text_, byte));
  }

 private:
  enum class List { none, vocabulary, scored, merges };

  void deeper() {
    if (++depth_ > kMaxDepth) fail("{}: is nested deeper than {} levels", where_, kMaxDepth);
  }

  /// Which of the big lists a value that begins here is.
  List list_for_next() const {
    if (all_vocabulary_) return stack_.empty() ? List::vocabulary : List::none;
    if (stack_.size() != 2 || keys_[0] != "model" || !stack_.back()->is_object()) return List::none;
    if (keys_[1] == "vocab") return List::vocabulary;
    return keys_[1] == "merges" ? List::merges : List::none;
  }

  [[noreturn]] void wrong_entry() const {
    switch (list_) {
      case List::merges:
        fail("{}: model.merges[{}] is not a text 'a b' or a list of two texts", where_, file_.merges.size());
      case List::scored:
        fail("{}: model.vocab[{}] is not a list of a text and a number", where_, file_.scored.size());
      default:
        fail("{}: the id of '{}' in the vocabulary is not a whole number", where_, key_);
    }
  }

  Json& put(Json value) {
    if (stack_.empty()) return file_.json = std::move(value);
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return parent.back();
    }
    parent.get_ref<Json::object_t&>().Container::emplace_back(key_, std::move(value));
    return parent.get_ref<Json::object_t&>().back().second;
  }

  void open(Json value) {
    stack_.push_back(&put(std::move(value)));
    keys_.emplace_back();
  }

  bool end() {
    --depth_;
    if (list_ != List::none) {
      list_ = List::none;
    } else {
      stack_.pop_back();
      keys_.pop_back();
    }
    return true;
  }

  bool value(Json v) {
    if (list_ == List::none) {
      put(std::move(v));
    } else if (entry_open_) {
      if (parts_.size() == 2) wrong_entry();
      parts_.push_back(std::move(v));
    } else if (list_ == List::vocabulary && v.is_number_integer()) {
      const bool huge = v.is_number_unsigned() && v.get<std::uint64_t>() > INT64_MAX;
      if (huge) wrong_entry();
      file_.vocabulary.emplace_back(std::move(key_), v.get<std::int64_t>());
    } else if (list_ == List::merges && v.is_string()) {
      const std::string place = fmt::format("{}: model.merges[{}]", where_, file_.merges.size());
      file_.merges.push_back(split_merge(v.get_ref<const std::string&>(), place));
    } else {
      wrong_entry();
    }
    return true;
  }

  using Container = Json::object_t::Container;

  TokenizerFile& file_;
  std::string_view text_;
  const std::string& where_;
  bool all_vocabulary_;
  std::vector<Json*> stack_;       ///< open objects and lists; a parent does not grow while its child is open
  std::vector<std::string> keys_;  ///< of each open one, the key that is being read
  std::string key_;
  std::vector<Json> parts_;
  List list_ = List::none;
  bool entry_open_ = false;
  std::size_t depth_ = 0;
};

TokenizerFile parse(std::string_view text, const std::string& where, bool all_vocabulary) {
  if (text::trim(text).empty()) fail("{}: is empty, expected JSON", where);
  TokenizerFile file;
  Reader reader(file, text, where, all_vocabulary);
  Json::sax_parse(text.begin(), text.end(), &reader);
  return file;
}

}  // namespace

TokenizerFile parse_tokenizer_file(std::string_view text, const std::string& where) {
  return parse(text, where, false);
}

std::vector<std::pair<std::string, std::int64_t>> parse_vocabulary_file(std::string_view text,
                                                                        const std::string& where) {
  TokenizerFile file = parse(text, where, true);
  if (!file.has_vocabulary) fail("{}: the top level must be an object of pieces and ids", where);
  return std::move(file.vocabulary);
}

std::vector<std::pair<std::string, std::string>> parse_merges_file(std::string_view text, const std::string& where) {
  check_utf8(text, where);
  std::vector<std::pair<std::string, std::string>> merges;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
    merges.push_back(split_merge(line, fmt::format("{}: line {}", where, number)));
  }
  return merges;
}

}  // namespace filigree::text
