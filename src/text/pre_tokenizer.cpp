#include "text/pre_tokenizer.h"

#include <algorithm>

#include "text/byte_level.h"

namespace filigree::text {

const std::string_view kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

namespace {

constexpr std::string_view kClipPattern =
    R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

struct Part {
  std::size_t begin, end;
  bool match;
};

/// A word as matches and what is between them.
void find_parts(Regex::Search& search, std::string_view word, bool invert, std::vector<Part>& parts) {
  parts.clear();
  std::size_t done = 0;
  search.start(word);
  while (search.next()) {
    if (search.begin() > done) parts.push_back({done, search.begin(), invert});
    parts.push_back({search.begin(), search.end(), !invert});
    done = search.end();
  }
  if (done < word.size()) parts.push_back({done, word.size(), invert});
}

/// Joins the parts as the behavior says; what remains are the words.
void join_parts(SplitBehavior behavior, std::vector<Part>& parts) {
  const auto merge_forward = [&](const auto& joins) {
    std::vector<Part> out;
    bool previous = false;
    for (const Part& part : parts) {
      if (!out.empty() && joins(part.match, previous)) {
        out.back().end = part.end;
      } else {
        out.push_back(part);
      }
      previous = part.match;
    }
    parts = std::move(out);
  };
  switch (behavior) {
    case SplitBehavior::isolated:
      return;
    case SplitBehavior::removed:
      std::erase_if(parts, [](const Part& part) { return part.match; });
      return;
    case SplitBehavior::contiguous:
      return merge_forward([](bool match, bool previous) { return match == previous; });
    case SplitBehavior::merged_with_previous:
      return merge_forward([](bool match, bool previous) { return match && !previous; });
    case SplitBehavior::merged_with_next: {
      std::vector<Part> out;
      bool previous = false;
      for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
        if (!out.empty() && part->match && !previous) {
          out.back().begin = part->begin;
        } else {
          out.push_back(*part);
        }
        previous = part->match;
      }
      parts.assign(out.rbegin(), out.rend());
      return;
    }
  }
}

void split_words(Words& words, const Regex& regex, SplitBehavior behavior, bool invert) {
  std::vector<std::pair<std::size_t, std::size_t>> ranges;
  ranges.reserve(words.text.size() / 4);
  std::vector<Part> parts;
  Regex::Search search(regex);
  for (std::size_t i = 0; i < words.ranges.size(); ++i) {
    find_parts(search, words.word(i), invert, parts);
    join_parts(behavior, parts);
    const std::size_t base = words.ranges[i].first;
    for (const Part& part : parts) {
      if (part.end > part.begin) ranges.emplace_back(base + part.begin, base + part.end);
    }
  }
  words.ranges = std::move(ranges);
}

/// Rewrites each word; what becomes empty is dropped.
template <class Rewrite>
void rewrite_words(Words& words, const Rewrite& rewrite) {
  std::string text;
  text.reserve(words.text.size() + words.text.size() / 4);
  std::vector<std::pair<std::size_t, std::size_t>> ranges;
  ranges.reserve(words.ranges.size());
  for (std::size_t i = 0; i < words.ranges.size(); ++i) {
    const std::size_t begin = text.size();
    rewrite(words.word(i), words.at_start && words.ranges[i].first == 0, text);
    if (text.size() > begin) ranges.emplace_back(begin, text.size());
  }
  words.text = std::move(text);
  words.ranges = std::move(ranges);
}

void add_metaspace(const JsonPart& part, PreTokenizer& out) {
  const std::string mark = part.string_or("replacement", "▁");
  const std::string scheme =
      part.string_or("prepend_scheme", part.flag_or("add_prefix_space", true) ? "always" : "never");
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    fail("{}: prepend_scheme cannot be '{}' (one of: always, first, never)", part.place(), scheme);
  }
  if (mark.empty()) fail("{}: replacement is empty; expected one character", part.place());
  const bool always = scheme == "always", first = scheme == "first";
  out.add([mark, always, first](Words& words) {
    rewrite_words(words, [&](std::string_view word, bool at_start, std::string& text) {
      const bool marked = word.starts_with(' ') || word.starts_with(mark);
      if ((always || (first && at_start)) && !marked) text += mark;
      for (const char byte : word) byte == ' ' ? text += mark : text += byte;
    });
  });
  if (part.flag_or("split", true)) {
    out.add_split(Regex(quoted_pattern(mark), part.place()), SplitBehavior::merged_with_next);
  }
}

void add_split_step(const JsonPart& part, PreTokenizer& out) {
  const std::string name = part.string("behavior");
  constexpr std::pair<std::string_view, SplitBehavior> kNames[] = {
      {"Removed", SplitBehavior::removed},
      {"Isolated", SplitBehavior::isolated},
      {"MergedWithPrevious", SplitBehavior::merged_with_previous},
      {"MergedWithNext", SplitBehavior::merged_with_next},
      {"Contiguous", SplitBehavior::contiguous}};
  const auto* const found =
      std::find_if(std::begin(kNames), std::end(kNames), [&](const auto& entry) { return entry.first == name; });
  if (found == std::end(kNames)) {
    fail("{}: behavior cannot be '{}' (one of: Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous)",
         part.place(), name);
  }
  const JsonPart pattern = part.at("pattern");
  const auto regex = pattern.find("Regex");
  const std::string text = regex ? regex->string() : quoted_pattern(pattern.string("String"));
  if (text.empty()) return;
  out.add_split(Regex(text, pattern.place()), found->second, part.flag_or("invert", false));
}

void read_step(const JsonPart& part, PreTokenizer& out, int depth) {
  if (depth > 8) fail("{}: pre-tokenizers are nested deeper than 8 levels", part.place());
  const std::string type = part.string("type");
  const auto split = [&](std::string_view pattern, SplitBehavior behavior, bool invert = false) {
    out.add_split(Regex(pattern, part.place()), behavior, invert);
  };
  if (type == "Sequence") {
    for (const JsonPart& item : part.at("pretokenizers").items()) read_step(item, out, depth + 1);
  } else if (type == "Split") {
    add_split_step(part, out);
  } else if (type == "ByteLevel") {
    out.add_byte_level(part.flag_or("add_prefix_space", true), part.flag_or("use_regex", true));
  } else if (type == "Metaspace") {
    add_metaspace(part, out);
  } else if (type == "Whitespace") {
    // This one is by a library whose words have joiners too.
    split(R"([\p{Alphabetic}\w\x{200C}\x{200D}]+|[^\p{Alphabetic}\w\x{200C}\x{200D}\s]+)", SplitBehavior::removed,
          true);
  } else if (type == "WhitespaceSplit") {
    split(R"(\s)", SplitBehavior::removed);
  } else if (type == "Digits") {
    const bool single = part.flag_or("individual_digits", false);
    split(R"(\p{N})", single ? SplitBehavior::isolated : SplitBehavior::contiguous);
  } else if (type == "Punctuation") {
    split(R"([\p{P}$+<=>^`|~])", SplitBehavior::isolated);
  } else {
    fail("{}: the pre-tokenizer '{}' is not supported{}", part.at("type").place(), type,
         did_you_mean(type, {"Sequence", "Split", "ByteLevel", "Metaspace", "Whitespace", "WhitespaceSplit", "Digits",
                             "Punctuation"}));
  }
}

}  // namespace

Words PreTokenizer::operator()(std::string text, bool at_start) const {
  Words words{std::move(text), {}, at_start};
  if (!words.text.empty()) words.ranges.emplace_back(0, words.text.size());
  for (const Step& step : steps_) step(words);
  return words;
}

void PreTokenizer::add_split(Regex regex, SplitBehavior behavior, bool invert) {
  add([regex = std::move(regex), behavior, invert](Words& words) { split_words(words, regex, behavior, invert); });
}

void PreTokenizer::add_byte_level(bool prefix_space, bool use_regex) {
  if (prefix_space) {
    add([](Words& words) {
      rewrite_words(words, [](std::string_view word, bool, std::string& text) {
        if (!word.starts_with(' ')) text += ' ';
        text += word;
      });
    });
  }
  if (use_regex) add_split(Regex(kGpt2Pattern, "the cut of GPT-2"), SplitBehavior::isolated);
  add([](Words& words) {
    rewrite_words(words, [](std::string_view word, bool, std::string& text) { text += to_byte_letters(word); });
  });
}

PreTokenizer read_pre_tokenizer(const JsonPart& part) {
  PreTokenizer out;
  read_step(part, out, 0);
  return out;
}

PreTokenizer clip_pre_tokenizer() {
  PreTokenizer out;
  out.add_split(Regex(kClipPattern, "the cut of CLIP"), SplitBehavior::removed, true);
  out.add_byte_level(false, true);
  return out;
}

}  // namespace filigree::text
