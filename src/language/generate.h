#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "language/model.h"

/// Text from a model, token by token.
namespace filigree::language {

/// How the next token is drawn from its logits. In this order: repetition penalty, temperature, top-k, top-p.
struct Sampling {
  double temperature = 0;         ///< 0: always the likeliest token
  std::int64_t top_k = 0;         ///< only the k likeliest; 0: all
  double top_p = 1;               ///< only the likeliest that together reach this probability
  double repetition_penalty = 1;  ///< logits of tokens that occurred are divided by it where positive, else multiplied
};

struct GenerateOptions {
  std::int64_t max_new_tokens = 128;
  Sampling sampling = {};
  std::uint64_t seed = 0;
  std::vector<std::int64_t> stop_ids = {};  ///< a row ends with one of these
  bool cache = true;                        ///< false: everything is computed again for every token
  bool absorbed = true;                     ///< latent attention decodes in the latent space
  bool speculative = false;                 ///< one prompt only: the prediction module proposes every second token
  /// Whether a row ends with this token, beside stop_ids; called with each token before on_token.
  std::function<bool(std::size_t row, std::int64_t token)> ends_row = {};
  /// Called with each token as it comes, and the row it belongs to; false ends everything.
  std::function<bool(std::size_t row, std::int64_t token)> on_token = {};
};

struct Generated {
  std::vector<std::vector<std::int64_t>> ids;  ///< new tokens of each prompt, a stop id included
  std::int64_t proposed = 0, accepted = 0;     ///< tokens of the prediction module
  double prefill_seconds = 0, decode_seconds = 0;
};

/// Continues prompts of any lengths together. Speculation changes nothing of what comes out where the likeliest token is
/// taken (but for rounding), and nothing of its distribution where it is drawn.
/// Error for no prompt, an empty one, a token outside the vocabulary (with its place), prompts with their continuations
/// longer than the model's positions, or speculation where it cannot be.
Generated generate(const Model& model, const std::vector<std::vector<std::int64_t>>& prompts,
                   const GenerateOptions& options);

/// One token of each row of logits (B, V), float32. `before`: all tokens so far of each row. The generator is of the CPU.
std::vector<std::int64_t> draw(const at::Tensor& logits_BV, const std::vector<std::vector<std::int64_t>>& before,
                               const Sampling& sampling, at::Generator& generator);

}  // namespace filigree::language
