#include "language/rollout.h"

#include <algorithm>

#include "base/cancel.h"
#include "base/error.h"
#include "base/random.h"

namespace filigree::language {

std::vector<Rollout> roll_out(const Model& model, const std::vector<std::vector<std::int64_t>>& prompts,
                              const RolloutOptions& options) {
  FILIGREE_ASSERT(options.group >= 1 && options.rows >= 1);
  std::vector<Rollout> all;
  for (const std::vector<std::int64_t>& prompt : prompts) {
    for (std::int64_t i = 0; i < options.group; ++i) all.push_back({.prompt = prompt, .answer = {}});
  }
  GenerateOptions generating;
  generating.max_new_tokens = options.max_new_tokens;
  generating.sampling = options.sampling;
  generating.stop_ids = options.stop_ids;
  const auto stopped = [&options] { return options.cancellable && cancelled(); };
  generating.on_token = [&](std::size_t, std::int64_t) { return !stopped(); };
  const Random seeds(options.seed);
  for (std::size_t begin = 0; begin < all.size(); begin += static_cast<std::size_t>(options.rows)) {
    const std::size_t end = std::min(all.size(), begin + static_cast<std::size_t>(options.rows));
    std::vector<std::vector<std::int64_t>> rows;
    for (std::size_t i = begin; i < end; ++i) rows.push_back(all[i].prompt);
    generating.seed = seeds.fork(begin)();
    const Generated generated = generate(model, rows, generating);
    if (stopped()) fail("drawing answers was stopped");
    for (std::size_t i = begin; i < end; ++i) {
      all[i].answer = generated.ids[i - begin];
      const auto& stops = options.stop_ids;
      all[i].ended =
          !all[i].answer.empty() && std::find(stops.begin(), stops.end(), all[i].answer.back()) != stops.end();
    }
  }
  return all;
}

}  // namespace filigree::language
