#include "text/regex.h"

#include <algorithm>
#include <array>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"
#include "text/utf8.h"

namespace filigree::text {
namespace {

constexpr std::size_t kMaxPattern = 1 << 15;

/// The classes as the tokenizers' libraries have them: PCRE2's \s counts U+180E too, which has not been white space since
/// Unicode 6.3, and its \w leaves out marks.
std::string with_unicode_classes(std::string_view pattern) {
  constexpr std::string_view kWord = "\\p{L}\\p{M}\\p{Nd}\\p{Pc}";
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char next = pattern[++i];
      if (next == 's' || next == 'S') {
        out += next == 's' ? "\\p{White_Space}" : "\\P{White_Space}";
      } else if (next == 'w') {
        out += in_class ? std::string(kWord) : fmt::format("[{}]", kWord);
      } else if (next == 'W' && !in_class) {
        out += fmt::format("[^{}]", kWord);
      } else {
        out += {c, next};
      }
      continue;
    }
    out += c;
    if (!in_class && c == '[') {
      in_class = true;
      // "]" is itself where it is the first.
      for (const char first : {'^', ']'}) {
        if (i + 1 < pattern.size() && pattern[i + 1] == first) out += pattern[++i];
      }
    } else if (in_class && c == ']') {
      in_class = false;
    }
  }
  return out;
}

std::string pcre2_message(int code) {
  std::array<PCRE2_UCHAR, 160> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  Code() = default;
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  ~Code() { pcre2_code_free(code); }
};

struct Regex::Search::State {
  pcre2_match_data* data = nullptr;
  pcre2_match_context* context = nullptr;
  pcre2_jit_stack* stack = nullptr;

  explicit State(const pcre2_code* code) {
    data = pcre2_match_data_create_from_pattern(code, nullptr);
    context = pcre2_match_context_create(nullptr);
    stack = pcre2_jit_stack_create(32 * 1024, 16 * 1024 * 1024, nullptr);
    if (data == nullptr || context == nullptr) throw std::bad_alloc();
    pcre2_set_heap_limit(context, 256 * 1024);
    if (stack != nullptr) pcre2_jit_stack_assign(context, nullptr, stack);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
};

Regex::Regex(std::string_view pattern, std::string where) : where_(std::move(where)) {
  if (pattern.size() > kMaxPattern) fail("{}: the regular expression is longer than {} bytes", where_, kMaxPattern);
  check_utf8(pattern, where_);
  const std::string text = with_unicode_classes(pattern);
  const auto code = std::make_shared<Code>();
  int error = 0;
  PCRE2_SIZE at = 0;
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                             PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr);
  if (code->code == nullptr) fail("{}: the regular expression is wrong: {}", where_, pcre2_message(error));
  // Where the processor or its settings do not allow compiled code, matching is slower and the same.
  pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);
  code_ = code;
}

Regex::Search::Search(const Regex& regex, std::string_view text)
    : regex_(regex), state_(std::make_shared<State>(regex.code_->code)) {
  start(text);
}

void Regex::Search::start(std::string_view text) {
  text_ = text;
  begin_ = end_ = from_ = 0;
  // An expression that is good for tokenizing tries each character a few times.
  const std::size_t limit = std::min<std::size_t>(1'000'000 + 16 * text.size(), 1U << 31);
  pcre2_set_match_limit(state_->context, static_cast<std::uint32_t>(limit));
}

bool Regex::Search::next() {
  if (from_ > text_.size()) return false;
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text_.data());
  const int found =
      pcre2_match(regex_.code_->code, subject, text_.size(), from_, PCRE2_NO_UTF_CHECK, state_->data, state_->context);
  if (found == PCRE2_ERROR_NOMATCH) return false;
  if (found < 0) {
    fail("{}: the regular expression gives up at byte {} of a text: {}", regex_.where_, from_, pcre2_message(found));
  }
  const PCRE2_SIZE* const place = pcre2_get_ovector_pointer(state_->data);
  // \K in an assertion can put the begin behind the end.
  begin_ = std::max<std::size_t>(from_, std::min(place[0], place[1]));
  end_ = std::max<std::size_t>(begin_, place[1]);
  from_ = end_ > begin_ ? end_ : end_ < text_.size() ? end_ + utf8_length(text_[end_]) : text_.size() + 1;
  return true;
}

std::string replace_matches(const Regex& regex, std::string_view text, std::string_view replacement) {
  std::string out;
  out.reserve(text.size());
  std::size_t done = 0;
  for (Regex::Search search(regex, text); search.next();) {
    out += text.substr(done, search.begin() - done);
    out += replacement;
    done = search.end();
  }
  out += text.substr(done);
  return out;
}

std::string quoted_pattern(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    if (std::string_view("\\^$.|?*+()[]{}-").find(byte) != std::string_view::npos) out += '\\';
    out += byte;
  }
  return out;
}

}  // namespace filigree::text
