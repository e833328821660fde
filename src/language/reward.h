#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// How good answers are, by rules.
namespace filigree::language {

struct RewardSample {
  std::string prompt;    ///< what the user said last
  std::string response;  ///< what the model answered
  std::string answer;    ///< what the data say is right; may be empty
};

class Reward {
 public:
  virtual ~Reward() = default;

  /// A number for each sample, the more the better.
  virtual std::vector<double> score(const std::vector<RewardSample>& samples) = 0;
};

/// 1 where the response is the answer, but for white space around both; else 0. Error for a sample without answer.
std::unique_ptr<Reward> exact_match_reward();

/// 1 where the expression (Perl's, over Unicode) is found in the response. Error where it is wrong.
std::unique_ptr<Reward> regex_reward(const std::string& pattern);

/// The prompt ends with whole numbers, + - * / and brackets, then perhaps = and ?, as in "12+7=" or "What is (3 - 5) * 2?";
/// 1 where the first whole number of the response is what that makes. Error, naming the prompt, where it makes nothing: no
/// expression, a division that leaves a remainder, a number beyond 64 bits.
std::unique_ptr<Reward> arithmetic_reward();

/// A program, started once by `sh -c`: for every sample it gets the line {"prompt": …, "response": …, "answer": …} and
/// prints a line with a number. It must not keep lines back (python: print(…, flush=True)).
/// Error where a line is no number, where the next one takes longer than so many seconds, or where the program ends.
std::unique_ptr<Reward> command_reward(const std::string& command, double seconds = 60);

/// "exact", "arithmetic", "regex:PATTERN" or "command:COMMAND". Error with these for other words.
std::unique_ptr<Reward> make_reward(const std::string& words, double seconds = 60);

/// The value of an expression as of arithmetic_reward; nullopt where it has none.
std::optional<std::int64_t> evaluate_arithmetic(std::string_view expression);

/// The first whole number in a text, with a '-' directly before it as its sign; nullopt for none, or one beyond 64 bits.
std::optional<std::int64_t> first_integer(std::string_view text);

}  // namespace filigree::language
