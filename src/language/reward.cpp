#include "language/reward.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "language/line_process.h"
#include "text/regex.h"

namespace filigree::language {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// sum = product {(+|-) product}; product = factor {(*|/) factor}; factor = number | ( sum ) | - factor
class Arithmetic {
 public:
  explicit Arithmetic(std::string_view text) : text_(text) {}

  std::optional<std::int64_t> value() {
    const Number found = sum();
    skip();
    return at_ == text_.size() ? found : std::nullopt;
  }

 private:
  using Number = std::optional<std::int64_t>;

  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  static Number joined(const Number& a, char sign, const Number& b) {
    if (!a || !b) return std::nullopt;
    std::int64_t out = 0;
    bool wrong = false;
    switch (sign) {
      case '+':
        wrong = __builtin_add_overflow(*a, *b, &out);
        break;
      case '-':
        wrong = __builtin_sub_overflow(*a, *b, &out);
        break;
      case '*':
        wrong = __builtin_mul_overflow(*a, *b, &out);
        break;
      default:
        wrong = *b == 0 || (*b == -1 && *a == INT64_MIN) || *a % *b != 0;
        if (!wrong) out = *a / *b;
    }
    return wrong ? std::nullopt : Number(out);
  }

  Number sum() {
    Number left = product();
    while (left) {
      const char sign = take('+') ? '+' : take('-') ? '-' : ' ';
      if (sign == ' ') break;
      left = joined(left, sign, product());
    }
    return left;
  }

  Number product() {
    Number left = factor();
    while (left) {
      const char sign = take('*') ? '*' : take('/') ? '/' : ' ';
      if (sign == ' ') break;
      left = joined(left, sign, factor());
    }
    return left;
  }

  Number factor() {
    constexpr int kDeepest = 200;
    if (++depth_ > kDeepest) return std::nullopt;
    Number found;
    if (take('-')) {
      found = joined(0, '-', factor());
    } else if (take('(')) {
      found = sum();
      if (!take(')')) found = std::nullopt;
    } else {
      skip();
      const std::size_t begin = at_;
      while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
      if (at_ > begin) found = text::parse_int(text_.substr(begin, at_ - begin));
    }
    --depth_;
    return found;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

/// The end of a prompt that can be an expression, without "=" and "?".
std::string_view expression_of(std::string_view prompt) {
  std::size_t end = prompt.size();
  while (end > 0 && std::string_view(" \n\t=?:").find(prompt[end - 1]) != std::string_view::npos) --end;
  std::size_t begin = end;
  while (begin > 0 && std::string_view("0123456789+-*/() ").find(prompt[begin - 1]) != std::string_view::npos) --begin;
  return prompt.substr(begin, end - begin);
}

class ExactMatch : public Reward {
 public:
  std::vector<double> score(const std::vector<RewardSample>& samples) override {
    std::vector<double> out;
    for (const RewardSample& sample : samples) {
      if (sample.answer.empty()) {
        fail("the prompt '{}' has no answer that responses could be compared with; add \"answer\"", sample.prompt);
      }
      out.push_back(text::trim(sample.response) == text::trim(sample.answer) ? 1 : 0);
    }
    return out;
  }
};

class Matches : public Reward {
 public:
  explicit Matches(const std::string& pattern) : regex_(pattern, "the reward's expression") {}

  std::vector<double> score(const std::vector<RewardSample>& samples) override {
    std::vector<double> out;
    text::Regex::Search search(regex_);
    for (const RewardSample& sample : samples) {
      search.start(sample.response);
      out.push_back(search.next() ? 1 : 0);
    }
    return out;
  }

 private:
  text::Regex regex_;
};

class ArithmeticAnswer : public Reward {
 public:
  std::vector<double> score(const std::vector<RewardSample>& samples) override {
    std::vector<double> out;
    for (const RewardSample& sample : samples) {
      const auto right = evaluate_arithmetic(expression_of(sample.prompt));
      if (!right) fail("the prompt '{}' does not end with arithmetic that has a value, such as 12+7=", sample.prompt);
      out.push_back(first_integer(sample.response) == right ? 1 : 0);
    }
    return out;
  }
};

class Command : public Reward {
 public:
  Command(const std::string& command, double seconds) : process_(command), seconds_(seconds) {}

  std::vector<double> score(const std::vector<RewardSample>& samples) override {
    std::vector<std::string> lines;
    for (const RewardSample& sample : samples) {
      Json json;
      json["prompt"] = sample.prompt;
      json["response"] = sample.response;
      json["answer"] = sample.answer;
      lines.push_back(json.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    std::vector<std::string> answers;
    try {
      answers = process_.exchange(lines, seconds_);
    } catch (const Error& error) {
      fail("the reward command {}", error.what());
    }
    std::vector<double> out;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto number = text::parse_double(text::trim(answers[i]));
      if (!number) {
        fail("the reward command '{}' printed '{}' for line {}; expected one number a line", process_.command(),
             answers[i], i + 1);
      }
      out.push_back(*number);
    }
    return out;
  }

 private:
  LineProcess process_;
  double seconds_;
};

}  // namespace

std::optional<std::int64_t> evaluate_arithmetic(std::string_view expression) { return Arithmetic(expression).value(); }

std::optional<std::int64_t> first_integer(std::string_view text) {
  const auto* const first = std::find_if(text.begin(), text.end(), is_digit);
  if (first == text.end()) return std::nullopt;
  const auto* const last = std::find_if_not(first, text.end(), is_digit);
  const bool minus = first != text.begin() && *(first - 1) == '-';
  return text::parse_int(std::string_view(minus ? first - 1 : first, last));
}

std::unique_ptr<Reward> exact_match_reward() { return std::make_unique<ExactMatch>(); }

std::unique_ptr<Reward> regex_reward(const std::string& pattern) { return std::make_unique<Matches>(pattern); }

std::unique_ptr<Reward> arithmetic_reward() { return std::make_unique<ArithmeticAnswer>(); }

std::unique_ptr<Reward> command_reward(const std::string& command, double seconds) {
  return std::make_unique<Command>(command, seconds);
}

std::unique_ptr<Reward> make_reward(const std::string& words, double seconds) {
  if (words == "exact") return exact_match_reward();
  if (words == "arithmetic") return arithmetic_reward();
  const std::size_t colon = words.find(':');
  const std::string kind = words.substr(0, colon), rest = colon == std::string::npos ? "" : words.substr(colon + 1);
  if (kind == "regex" && !rest.empty()) return regex_reward(rest);
  if (kind == "command" && !rest.empty()) return command_reward(rest, seconds);
  fail("no reward is called '{}' (one of: exact, arithmetic, regex:PATTERN, command:COMMAND)", words);
}

}  // namespace filigree::language
