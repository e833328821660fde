#include "language/generate.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include "base/error.h"

namespace filigree::language {
namespace {

using Ids = std::vector<std::int64_t>;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

void check(const Model& model, const std::vector<Ids>& prompts, const GenerateOptions& options) {
  const spec::Model& m = model.config().model;
  if (prompts.empty()) fail("there is no prompt to continue");
  if (options.speculative && !model.has_predictor()) {
    fail("{} has no multi-token-prediction module, which speculative decoding needs", m.name);
  }
  if (options.speculative && (prompts.size() > 1 || !options.cache)) {
    fail("speculative decoding takes one prompt at a time, and needs the cache");
  }
  for (std::size_t row = 0; row < prompts.size(); ++row) {
    if (prompts[row].empty()) fail("prompt {} is empty; it needs one token at least", row);
    for (std::size_t i = 0; i < prompts[row].size(); ++i) {
      const std::int64_t id = prompts[row][i];
      if (id >= 0 && id < m.vocabulary) continue;
      fail("prompt {}, token {}: the id {} is not within 0 … {}", row, i, id, m.vocabulary - 1);
    }
    const std::int64_t longest = static_cast<std::int64_t>(prompts[row].size()) + options.max_new_tokens;
    if (m.max_positions > 0 && longest > m.max_positions) {
      fail("prompt {} has {} tokens; with {} new ones that is more than the model's {} positions", row,
           prompts[row].size(), options.max_new_tokens, m.max_positions);
    }
  }
}

/// Rows of one length, padded in front.
struct Batch {
  at::Tensor ids_BT;
  at::Tensor begin_B;  ///< first index of each row that is no padding
  bool even = true;    ///< no padding at all
};

Batch padded(const std::vector<Ids>& rows, at::Device device) {
  std::size_t longest = 0;
  bool even = true;
  for (const Ids& row : rows) longest = std::max(longest, row.size());
  const auto batch = static_cast<std::int64_t>(rows.size()), tokens = static_cast<std::int64_t>(longest);
  at::Tensor ids = at::zeros({batch, tokens}, at::kLong), begin = at::zeros({batch}, at::kLong);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const std::size_t pad = longest - rows[row].size();
    even = even && pad == 0;
    std::int64_t* to = ids.data_ptr<std::int64_t>() + row * longest + pad;
    std::copy(rows[row].begin(), rows[row].end(), to);
    begin.data_ptr<std::int64_t>()[row] = static_cast<std::int64_t>(pad);
  }
  return {ids.to(device), begin.to(device), even};
}

/// Angles and mask for `tokens` new tokens after `start`. A padding sees itself alone; without any there is no mask.
Pass make_pass(const Model& model, const Batch& batch, std::int64_t start, std::int64_t tokens) {
  const at::Tensor& begin_B = batch.begin_B;
  const at::Tensor query_T = at::arange(start, start + tokens, begin_B.options());
  Pass pass;
  pass.angles = model.angles((query_T.unsqueeze(0) - begin_B.unsqueeze(1)).clamp_min(0));
  if (batch.even) return pass;
  const at::Tensor key_S = at::arange(start + tokens, begin_B.options());
  const at::Tensor earlier_TS = key_S.unsqueeze(0) <= query_T.unsqueeze(1);
  const at::Tensor real_BS = key_S.unsqueeze(0) >= begin_B.unsqueeze(1);
  const at::Tensor self_TS = key_S.unsqueeze(0) == query_T.unsqueeze(1);
  pass.allowed_B1TS = (earlier_TS.unsqueeze(0).logical_and(real_BS.unsqueeze(1))).logical_or(self_TS).unsqueeze(1);
  return pass;
}

bool contains(const Ids& ids, std::int64_t id) { return std::find(ids.begin(), ids.end(), id) != ids.end(); }

/// What all ways of decoding share: rows as they grow, and whether they have ended.
class Rows {
 public:
  Rows(const std::vector<Ids>& prompts, const GenerateOptions& options)
      : all_(prompts),
        options_(options),
        ended_(prompts.size(), false),
        generator_(at::detail::createCPUGenerator(options.seed)) {
    result.ids.resize(prompts.size());
  }

  const std::vector<Ids>& all() const { return all_; }
  bool done() const {
    return stopped_ || std::all_of(ended_.begin(), ended_.end(), [](bool e) { return e; });
  }

  /// Draws the next token of every row. A row that has ended repeats its last.
  Ids take(const at::Tensor& logits_BV) {
    Ids next = draw(logits_BV.to(at::kFloat).cpu(), all_, options_.sampling, generator_);
    for (std::size_t row = 0; row < next.size(); ++row) {
      if (ended_[row]) {
        next[row] = all_[row].back();
      } else {
        append(row, next[row]);
      }
    }
    return next;
  }

  Generated result;

 private:
  void append(std::size_t row, std::int64_t id) {
    all_[row].push_back(id);
    result.ids[row].push_back(id);
    const auto count = static_cast<std::int64_t>(result.ids[row].size());
    if (count >= options_.max_new_tokens || contains(options_.stop_ids, id)) ended_[row] = true;
    if (options_.ends_row && options_.ends_row(row, id)) ended_[row] = true;
    if (options_.on_token && !options_.on_token(row, id)) stopped_ = true;
  }

  std::vector<Ids> all_;
  const GenerateOptions& options_;
  std::vector<bool> ended_;
  bool stopped_ = false;
  at::Generator generator_;
};

at::Tensor last(const at::Tensor& logits_BTV) { return logits_BTV.select(1, logits_BTV.size(1) - 1); }

void decode_again_and_again(const Model& model, Rows& rows) {
  const auto begin = Clock::now();
  while (!rows.done()) {
    const Batch batch = padded(rows.all(), model.device());
    const Pass pass = make_pass(model, batch, 0, batch.ids_BT.size(1));
    rows.take(last(model.forward(batch.ids_BT, pass).logits_BTV));
  }
  rows.result.decode_seconds = seconds_since(begin);
}

/// Columns of the next tokens on the model's device.
at::Tensor column(const Ids& ids, at::Device device) {
  return at::tensor(at::ArrayRef<std::int64_t>(ids), at::kLong).unsqueeze(1).to(device);
}

void decode_with_cache(const Model& model, Rows& rows, const GenerateOptions& options) {
  auto begin = Clock::now();
  const Batch batch = padded(rows.all(), model.device());
  const std::int64_t tokens = batch.ids_BT.size(1);
  Cache cache = model.make_cache(batch.ids_BT.size(0), tokens + options.max_new_tokens);
  Pass pass = make_pass(model, batch, 0, tokens);
  pass.cache = &cache;
  pass.absorbed = false;  // many queries: products with the expanded keys are fewer
  Ids next = rows.take(last(model.forward(batch.ids_BT, pass).logits_BTV));
  rows.result.prefill_seconds = seconds_since(begin);
  begin = Clock::now();
  while (!rows.done()) {
    pass = make_pass(model, batch, cache.start, 1);
    pass.cache = &cache;
    pass.absorbed = options.absorbed;
    next = rows.take(last(model.forward(column(next, model.device()), pass).logits_BTV));
  }
  rows.result.decode_seconds = seconds_since(begin);
}

/// One row. Loop: the model has been run up to token t and gave token t + 1; the prediction module proposes t + 2; the
/// model is run on both and gives t + 2 itself, and t + 3 where the proposal was right.
class Speculation {
 public:
  Speculation(const Model& model, Rows& rows, const GenerateOptions& options)
      : model_(model),
        rows_(rows),
        options_(options),
        room_(static_cast<std::int64_t>(rows.all().front().size()) + options.max_new_tokens + 2),
        cache_(model.make_cache(1, room_)),
        predictor_(model.make_predictor_cache(1, room_)) {}

  void run() {
    auto begin = Clock::now();
    const Ids prompt = rows_.all().front();
    Output out = step(prompt, false);
    Ids next = rows_.take(last(out.logits_BTV));
    Ids followers(prompt.begin() + 1, prompt.end());
    followers.push_back(next[0]);
    std::int64_t proposal = propose(followers, out.hidden_BTD);
    rows_.result.prefill_seconds = seconds_since(begin);
    begin = Clock::now();
    while (!rows_.done()) {
      out = step({next[0], proposal}, options_.absorbed);
      ++rows_.result.proposed;
      const Ids second = rows_.take(out.logits_BTV.select(1, 0));
      const bool right = second[0] == proposal;
      followers = {second[0]};
      if (right) {
        ++rows_.result.accepted;
        if (rows_.done()) break;
        next = rows_.take(out.logits_BTV.select(1, 1));
        followers.push_back(next[0]);
      } else {
        --cache_.start;  // the wrong token is written over
        next = second;
      }
      if (rows_.done()) break;
      proposal = propose(followers, out.hidden_BTD.narrow(1, 0, right ? 2 : 1));
    }
    rows_.result.decode_seconds = seconds_since(begin);
  }

 private:
  at::Tensor row(const Ids& ids) const {
    return at::tensor(at::ArrayRef<std::int64_t>(ids), at::kLong).unsqueeze(0).to(model_.device());
  }

  Output step(const Ids& ids, bool absorbed) {
    Pass pass;
    pass.cache = &cache_;
    pass.absorbed = absorbed;
    return model_.forward(row(ids), pass);
  }

  std::int64_t propose(const Ids& followers, const at::Tensor& hidden_BTD) {
    Pass pass;
    pass.cache = &predictor_;
    pass.absorbed = options_.absorbed;
    const at::Tensor logits = model_.predict(row(followers), hidden_BTD, pass);
    return last(logits).argmax(-1).item<std::int64_t>();
  }

  const Model& model_;
  Rows& rows_;
  const GenerateOptions& options_;
  std::int64_t room_;
  Cache cache_, predictor_;
};

/// Below the k-th largest, or beyond the probability p: minus infinity.
void keep_likeliest(at::Tensor& logits_V, const Sampling& sampling) {
  const float none = -std::numeric_limits<float>::infinity();
  if (sampling.top_k > 0 && sampling.top_k < logits_V.numel()) {
    const at::Tensor least = std::get<0>(logits_V.topk(sampling.top_k)).select(0, sampling.top_k - 1);
    logits_V = logits_V.masked_fill(logits_V < least, none);
  }
  if (sampling.top_p < 1) {
    const auto [sorted, order] = at::softmax(logits_V, -1).sort(0, true);
    // A token stays while those before it have not reached p.
    const at::Tensor dropped = (sorted.cumsum(0) - sorted) >= sampling.top_p;
    logits_V = logits_V.masked_fill(at::zeros_like(dropped).scatter(0, order, dropped), none);
  }
}

void penalise(at::Tensor& logits_V, const Ids& before, double penalty) {
  const at::Tensor seen = at::tensor(at::ArrayRef<std::int64_t>(before), at::kLong);
  const at::Tensor value = logits_V.index_select(0, seen);
  logits_V = logits_V.scatter(0, seen, at::where(value > 0, value / penalty, value * penalty));
}

}  // namespace

std::vector<std::int64_t> draw(const at::Tensor& logits_BV, const std::vector<Ids>& before, const Sampling& sampling,
                               at::Generator& generator) {
  Ids drawn;
  for (std::int64_t row = 0; row < logits_BV.size(0); ++row) {
    at::Tensor logits = logits_BV.select(0, row);
    if (sampling.repetition_penalty != 1) {
      penalise(logits, before[static_cast<std::size_t>(row)], sampling.repetition_penalty);
    }
    if (sampling.temperature <= 0) {
      drawn.push_back(logits.argmax().item<std::int64_t>());
      continue;
    }
    logits = logits / sampling.temperature;
    keep_likeliest(logits, sampling);
    drawn.push_back(at::softmax(logits, -1).multinomial(1, false, generator).item<std::int64_t>());
  }
  return drawn;
}

Generated generate(const Model& model, const std::vector<Ids>& prompts, const GenerateOptions& options) {
  check(model, prompts, options);
  const c10::NoGradGuard no_grad;
  Rows rows(prompts, options);
  if (options.max_new_tokens <= 0) return rows.result;
  if (!options.cache) {
    decode_again_and_again(model, rows);
  } else if (options.speculative) {
    Speculation(model, rows, options).run();
  } else {
    decode_with_cache(model, rows, options);
  }
  return rows.result;
}

}  // namespace filigree::language
