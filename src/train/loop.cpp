#include "train/loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/cancel.h"
#include "base/error.h"
#include "train/checkpoint.h"
#include "train/live_page.h"

namespace filigree::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::string number_text(double value) {
  return std::isnan(value) ? std::string("not a number") : std::isinf(value) ? "infinite" : fmt::format("{}", value);
}

class Loop {
 public:
  Loop(Task& task, const RunFolder& run, const LoopOptions& options, ProgressSink* sink)
      : task_(task), run_(run), options_(options), optimizer_(task.trained(), options.optimizer), sink_(sink) {
    if (const auto latest = run.latest()) {
      const RunState state = load_run_state(run.checkpoint(*latest), optimizer_);
      task_.restore(state.task);
      step_ = saved_ = state.step;
    }
    run_.forget_after(step_);
    page_.emplace(run_);
  }

  LoopResult run() {
    if (sink_ != nullptr) sink_->update(step_, options_.steps, "steps");
    const Clock::time_point begin = Clock::now();
    const auto time_is_over = [&] { return options_.max_seconds > 0 && seconds_since(begin) > options_.max_seconds; };
    while (step_ < options_.steps && !cancelled() && !time_is_over()) {
      one_step();
      const bool last = step_ == options_.steps;
      if (last || every(options_.evaluate_every)) evaluate();
      if (options_.sample_every > 0 && (last || every(options_.sample_every))) sample();
      if (last || every(options_.checkpoint_every)) save();
      page_->maybe_draw();
    }
    if (saved_ != step_) save();
    page_->finish();
    if (sink_ != nullptr) sink_->finish();
    return {step_, loss_, step_ < options_.steps};
  }

 private:
  bool every(std::int64_t period) const { return period > 0 && step_ % period == 0; }

  void one_step() {
    const Clock::time_point begin = Clock::now();
    for (std::int64_t micro = 0; micro < options_.micro_batches; ++micro) {
      task_.accumulate(step_, micro, options_.micro_batches);
      optimizer_.collect();
    }
    Json line = {{"step", step_ + 1}};
    line.update(task_.step_metrics());
    loss_ = line["loss"].is_number() ? line["loss"].get<double>() : std::nan("");
    const double norm = optimizer_.gradient_norm();
    if (!std::isfinite(loss_) || !std::isfinite(norm)) refuse(norm);
    const double rate = learning_rate(options_.schedule, step_, options_.steps);
    const bool clip = options_.clip_norm > 0 && norm > options_.clip_norm;
    optimizer_.step(rate, clip ? options_.clip_norm / norm : 1);
    task_.after_step(step_);
    ++step_;
    report(line, norm, rate, seconds_since(begin));
  }

  void report(Json& line, double norm, double rate, double seconds) {
    const double speed = task_.tokens_per_step(options_.micro_batches) / std::max(seconds, 1e-9);
    line["gradient_norm"] = norm;
    line["learning_rate"] = rate;
    line["seconds"] = seconds;
    line["tokens_per_second"] = speed;
    if (task_.flops_per_token() > 0 && task_.peak_flops() > 0) {
      line["mfu"] = task_.flops_per_token() * speed / task_.peak_flops();
    }
    log(line);
    if (sink_ != nullptr) {
      sink_->note(fmt::format("loss {:.4f}, {:.0f} tokens/s", loss_, speed));
      sink_->update(step_, options_.steps, "steps");
    }
  }

  /// Says what is not finite: a parameter, else the first result of the forward pass, else a gradient.
  [[noreturn]] void refuse(double norm) {
    const std::string what = std::isfinite(loss_) ? fmt::format("the norm of the gradients is {}", number_text(norm))
                                                  : fmt::format("the loss is {}", number_text(loss_));
    std::string first;
    if (const auto name = optimizer_.first_bad_value()) first = "the parameter " + *name;
    if (first.empty()) first = task_.first_not_finite(step_, options_.micro_batches);
    if (first.empty()) {
      const auto name = optimizer_.first_bad_gradient();
      first = name ? "the gradient of " + *name : std::string("the loss itself");
    }
    const auto last = run_.latest();
    fail("step {}: {}; the first tensor that is not finite is {}; {}; try a lower learning rate or a longer warm-up",
         step_ + 1, what, first,
         last ? fmt::format("{} is kept", run_.checkpoint(*last).string()) : "there is no checkpoint yet");
  }

  void evaluate() {
    Json line = {{"step", step_}};
    line.update(task_.evaluate());
    if (line.size() > 1) log(line);
  }

  void sample() {
    const std::string text = task_.sample();
    if (!text.empty()) log({{"step", step_}, {"sample", text}});
  }

  void log(const Json& line) {
    run_.log(line);
    page_->add(line);
  }

  void save() {
    const auto write = [&](const std::filesystem::path& folder) {
      task_.save_model(folder / "model");
      save_run_state(folder, {step_, task_.state()}, optimizer_);
    };
    run_.save(step_, write, options_.keep_checkpoints);
    saved_ = step_;
  }

  Task& task_;
  const RunFolder& run_;
  const LoopOptions& options_;
  AdamW optimizer_;
  ProgressSink* sink_;
  std::optional<LivePage> page_;
  std::int64_t step_ = 0;
  std::int64_t saved_ = -1;
  double loss_ = 0;
};

}  // namespace

LoopResult run_loop(Task& task, const RunFolder& run, const LoopOptions& options, ProgressSink* progress) {
  return Loop(task, run, options, progress).run();
}

}  // namespace filigree::train
