#include "language/session.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include "base/cancel.h"
#include "base/error.h"

namespace filigree::language {
namespace {

using Ids = std::vector<std::int64_t>;
using Clock = std::chrono::steady_clock;

/// Tokens that are run at once, between two looks whether to stop.
constexpr std::size_t kPiece = 4096;

/// Up to so many new tokens, products in the latent space of all earlier ones are fewer than those that expand them.
constexpr std::size_t kShort = 64;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

}  // namespace

Session::Session(const Model& model, GenerateOptions options)
    : model_(model), options_(std::move(options)), generator_(at::detail::createCPUGenerator(options_.seed)) {}

void Session::clear() {
  seen_.clear();
  cache_ = {};
}

/// The most new tokens.
std::int64_t Session::check(const Ids& ids) const {
  const spec::Model& m = model_.config().model;
  if (ids.empty()) fail("there is no text to continue");
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < m.vocabulary) continue;
    fail("token {}: the id {} is not within 0 … {}", i, ids[i], m.vocabulary - 1);
  }
  if (m.max_positions <= 0) return options_.max_new_tokens;
  const std::int64_t left = m.max_positions - static_cast<std::int64_t>(ids.size());
  if (left < 1) fail("the text has {} tokens, which fill the model's {} positions", ids.size(), m.max_positions);
  return std::min(options_.max_new_tokens, left);
}

void Session::make_room(std::int64_t tokens) {
  if (tokens <= cache_.room) return;
  // Twice as much, so that a growing text is copied seldom.
  std::int64_t room = std::max(tokens, 2 * cache_.room);
  const std::int64_t positions = model_.config().model.max_positions;
  if (positions > 0) room = std::max(tokens, std::min(room, positions));
  Cache larger = model_.make_cache(1, room);
  larger.start = cache_.start;
  for (std::size_t i = 0; i < cache_.layers.size(); ++i) {
    nn::AttentionCache &from = cache_.layers[i], &to = larger.layers[i];
    to.a.narrow(to.axis, 0, cache_.start).copy_(from.a.narrow(from.axis, 0, cache_.start));
    to.b.narrow(to.axis, 0, cache_.start).copy_(from.b.narrow(from.axis, 0, cache_.start));
  }
  cache_ = std::move(larger);
}

/// Runs these tokens behind those in the cache. False where it was cancelled before the last of them.
bool Session::run(const Ids& ids) {
  for (std::size_t begin = 0; begin < ids.size(); begin += kPiece) {
    if (begin > 0 && cancelled()) return false;
    const std::size_t end = std::min(begin + kPiece, ids.size());
    const at::Tensor row = at::tensor(at::ArrayRef<std::int64_t>(ids).slice(begin, end - begin), at::kLong);
    Pass pass;
    pass.cache = &cache_;
    pass.absorbed = options_.absorbed && ids.size() <= kShort;
    const at::Tensor logits_BTV = model_.forward(row.unsqueeze(0).to(model_.device()), pass).logits_BTV;
    logits_1V_ = logits_BTV.select(1, logits_BTV.size(1) - 1);
    seen_.insert(seen_.end(), ids.begin() + static_cast<std::ptrdiff_t>(begin),
                 ids.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return true;
}

Generated Session::continue_text(const Ids& ids, const std::function<bool(std::int64_t)>& on_token) {
  const c10::NoGradGuard no_grad;
  const std::int64_t most = check(ids);
  auto begin = Clock::now();
  // The last token is run in any case, as its logits are needed.
  const auto common = std::min(std::mismatch(seen_.begin(), seen_.end(), ids.begin(), ids.end()).second, ids.end() - 1);
  reused_ = common - ids.begin();
  seen_.resize(static_cast<std::size_t>(reused_));
  cache_.start = reused_;
  make_room(static_cast<std::int64_t>(ids.size()) + most);
  Generated result;
  Ids& fresh = result.ids.emplace_back();
  bool going = most > 0 && run(Ids(common, ids.end()));
  result.prefill_seconds = seconds_since(begin);
  begin = Clock::now();
  std::vector<Ids> all{ids};
  while (going) {
    const std::int64_t id = draw(logits_1V_.to(at::kFloat).cpu(), all, options_.sampling, generator_)[0];
    all[0].push_back(id);
    fresh.push_back(id);
    going = !on_token || on_token(id);
    going = going && static_cast<std::int64_t>(fresh.size()) < most &&
            std::find(options_.stop_ids.begin(), options_.stop_ids.end(), id) == options_.stop_ids.end() && run({id});
  }
  result.decode_seconds = seconds_since(begin);
  return result;
}

}  // namespace filigree::language
