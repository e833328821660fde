#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Generator.h>

#include "language/generate.h"

namespace filigree::language {

/// One text that is continued again and again, as in a conversation. What a new text has in common with the beginning of
/// the last one is kept in the cache and not run again.
class Session {
 public:
  /// Of the options, `max_new_tokens`, `sampling`, `seed` (for all texts together), `stop_ids` and `absorbed` count. The
  /// model must outlive the session.
  Session(const Model& model, GenerateOptions options);

  /// As generate() of this one prompt. At most as many new tokens as the model's positions allow; on_token as there, for
  /// each new token; a cancelled run gives what it has. Error for an empty text, a token outside the vocabulary, or a text
  /// that fills all positions of the model.
  Generated continue_text(const std::vector<std::int64_t>& ids, const std::function<bool(std::int64_t)>& on_token = {});

  /// Tokens of the last text that were in the cache already.
  std::int64_t reused() const { return reused_; }

  /// Forgets the text.
  void clear();

 private:
  std::int64_t check(const std::vector<std::int64_t>& ids) const;
  void make_room(std::int64_t tokens);
  bool run(const std::vector<std::int64_t>& ids);

  const Model& model_;
  GenerateOptions options_;
  at::Generator generator_;
  Cache cache_;
  std::vector<std::int64_t> seen_;  ///< tokens in the cache
  std::int64_t reused_ = 0;
  at::Tensor logits_1V_;  ///< after the last token that was run
};

}  // namespace filigree::language
