#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

/// Regular expressions over Unicode, as tokenizers use them to cut text into words.
namespace filigree::text {

/// A compiled expression. `\s` is the Unicode property White_Space and `\w` letters, marks, digits and connectors, as in
/// the libraries that made the tokenizers.
/// May be used by several threads.
class Regex {
 public:
  /// Error where the expression is wrong; `where` names its file and place.
  Regex(std::string_view pattern, std::string where);

  /// Finds matches in one text after another, in turn. A text is valid UTF-8 and outlives its search.
  class Search {
   public:
    explicit Search(const Regex& regex, std::string_view text = "");

    /// Goes on with another text; cheaper than another search.
    void start(std::string_view text);

    /// Moves to the next match. Error where the expression takes too long on this text.
    bool next();
    std::size_t begin() const { return begin_; }
    std::size_t end() const { return end_; }

   private:
    struct State;
    const Regex& regex_;
    std::string_view text_;
    std::shared_ptr<State> state_;
    std::size_t begin_ = 0, end_ = 0, from_ = 0;
  };

 private:
  struct Code;
  std::shared_ptr<const Code> code_;
  std::string where_;
};

/// The text with every match replaced by `replacement`.
std::string replace_matches(const Regex& regex, std::string_view text, std::string_view replacement);

/// A pattern that matches exactly this text.
std::string quoted_pattern(std::string_view text);

}  // namespace filigree::text
