#pragma once

#include <cstdint>
#include <vector>

#include "language/generate.h"

/// Answers that a model draws to prompts, to be rewarded.
namespace filigree::language {

struct RolloutOptions {
  std::int64_t group = 8;            ///< answers to each prompt
  std::int64_t max_new_tokens = 64;  ///< longer answers are cut
  std::int64_t rows = 64;            ///< answers that are drawn at once
  Sampling sampling = {.temperature = 1};
  std::vector<std::int64_t> stop_ids = {};
  std::uint64_t seed = 0;
  bool cancellable = true;
};

struct Rollout {
  std::vector<std::int64_t> prompt, answer;  ///< the token that ends the answer included
  bool ended = false;                        ///< false: it was cut
};

/// `group` answers to each prompt, side by side. The same for the same seed and number of rows.
/// Error as of generate(), and where the work is cancelled, if it can be.
std::vector<Rollout> roll_out(const Model& model, const std::vector<std::vector<std::int64_t>>& prompts,
                              const RolloutOptions& options);

}  // namespace filigree::language
