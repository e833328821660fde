#include "dynamics/training.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "dynamics/model.h"

namespace filigree::dynamics {

std::vector<Window> all_windows(const TrainingRuns& runs, Eigen::Index samples, Eigen::Index stride) {
  std::vector<Window> windows;
  for (std::size_t run = 0; run < runs.size(); ++run) {
    for (Eigen::Index begin = 0; begin + samples <= runs[run].states.cols(); begin += stride) {
      windows.push_back({run, begin});
    }
  }
  return windows;
}

RolloutLoss::RolloutLoss(const StepMap& map, Eigen::Index steps, double rollout_weight, double first_weight)
    : map_(map), steps_(steps), rollout_weight_(rollout_weight), first_weight_(first_weight) {
  input_.resize(static_cast<std::size_t>(steps));
  error_.resize(static_cast<std::size_t>(steps));
  taught_.resize(static_cast<std::size_t>(steps));
  for (Eigen::Index i = 0; i < steps; ++i) tapes_.push_back(map.network->make_tape());
}

double RolloutLoss::weight(Eigen::Index step) const {
  return rollout_weight_ / static_cast<double>(steps_) + (step == 0 ? first_weight_ : 0.0);
}

/// The first input, whole from the data.
void RolloutLoss::gather(const TrainingRuns& runs, const std::vector<Window>& windows, Eigen::Index) {
  const Eigen::Index n = map_.dimension(), h = map_.history, m = map_.num_controls();
  Matrix& input = input_[0];
  input.resize(h * n + m, static_cast<Eigen::Index>(windows.size()));
  for (Eigen::Index w = 0; w < input.cols(); ++w) {
    const Window& window = windows[static_cast<std::size_t>(w)];
    const TrainingRun& run = runs[window.run];
    for (Eigen::Index j = 0; j < h; ++j) input.col(w).segment(j * n, n) = run.states.col(window.begin + j);
    if (m > 0) input.col(w).tail(m) = run.controls.col(window.begin + h - 1);
  }
}

/// Input `step` + 1 from input `step`, its output and, where taught, the data.
void RolloutLoss::advance(const TrainingRuns& runs, const std::vector<Window>& windows, Eigen::Index step,
                          const std::function<bool()>& teacher) {
  const Eigen::Index n = map_.dimension(), h = map_.history, m = map_.num_controls();
  const Matrix& before = input_[static_cast<std::size_t>(step)];
  Matrix& input = input_[static_cast<std::size_t>(step + 1)];
  auto& taught = taught_[static_cast<std::size_t>(step + 1)];
  input.resize(before.rows(), before.cols());
  taught.setConstant(1, before.cols(), false);
  input.topRows((h - 1) * n) = before.middleRows(n, (h - 1) * n);
  for (Eigen::Index w = 0; w < input.cols(); ++w) {
    const Window& window = windows[static_cast<std::size_t>(w)];
    const TrainingRun& run = runs[window.run];
    const Eigen::Index newest = window.begin + h + step;
    taught[w] = teacher && teacher();
    if (taught[w])
      input.col(w).segment((h - 1) * n, n) = run.states.col(newest);
    else
      input.col(w).segment((h - 1) * n, n) = output_.col(w);
    if (m > 0) input.col(w).tail(m) = run.controls.col(newest);
  }
}

double RolloutLoss::operator()(const TrainingRuns& runs, const std::vector<Window>& windows, ParamsRef params,
                               Vector* gradient, const std::function<bool()>& teacher) {
  const auto count = static_cast<Eigen::Index>(windows.size());
  const double share = 1.0 / static_cast<double>(count * map_.dimension());
  gather(runs, windows, 0);
  double loss = 0;
  for (Eigen::Index k = 0; k < steps_; ++k) {
    const auto i = static_cast<std::size_t>(k);
    map_.network->forward(params, input_[i], output_, *tapes_[i]);
    error_[i] = output_;
    for (Eigen::Index w = 0; w < count; ++w) {
      const Window& window = windows[static_cast<std::size_t>(w)];
      error_[i].col(w) -= runs[window.run].states.col(window.begin + map_.history + k);
    }
    loss += weight(k) * share * error_[i].squaredNorm();
    error_[i] *= 2 * weight(k) * share;
    if (k + 1 < steps_) advance(runs, windows, k, teacher);
  }
  if (gradient != nullptr) back(params, *gradient);
  return loss;
}

void RolloutLoss::back(ParamsRef params, Vector& gradient) {
  const Eigen::Index n = map_.dimension(), h = map_.history;
  gradient.setZero(map_.network->num_parameters());
  for (Eigen::Index k = steps_; k-- > 0;) {
    const auto i = static_cast<std::size_t>(k);
    doutput_ = error_[i];
    if (k + 1 < steps_) {
      for (Eigen::Index w = 0; w < doutput_.cols(); ++w) {
        if (!taught_[i + 1][w]) doutput_.col(w) += dnext_.col(w).segment((h - 1) * n, n);
      }
    }
    map_.network->backward(params, *tapes_[i], doutput_, gradient, &dinput_);
    // What the next input took over from this one.
    if (k + 1 < steps_) dinput_.middleRows(n, (h - 1) * n) += dnext_.topRows((h - 1) * n);
    dnext_.swap(dinput_);
  }
}

void RolloutLoss::residuals(const TrainingRuns& runs, const std::vector<Window>& windows, ParamsRef params,
                            double total, Vector& r, Matrix* jacobian) {
  const Eigen::Index n = map_.dimension(), h = map_.history, p = map_.network->num_parameters();
  const auto count = static_cast<Eigen::Index>(windows.size());
  r.resize(steps_ * n * count);
  if (jacobian != nullptr) jacobian->resize(r.size(), p);
  sensitivity_.resize(static_cast<std::size_t>(h));
  Eigen::Index known = 0;  // how many of the newest states in the window depend on the parameters
  gather(runs, windows, 0);
  for (Eigen::Index k = 0; k < steps_; ++k) {
    const auto i = static_cast<std::size_t>(k);
    if (jacobian == nullptr) {
      map_.network->forward(params, input_[i], output_, *tapes_[i]);
    } else {
      map_.network->jacobian(params, input_[i], output_, jp_, jx_);
      for (Eigen::Index j = h - known; j < h; ++j) {
        const Matrix& state = sensitivity_[static_cast<std::size_t>(j)];
        for (Eigen::Index s = 0; s < count; ++s) {
          jp_.middleCols(s * n, n).noalias() += state.middleCols(s * n, n) * jx_.block(j * n, s * n, n, n);
        }
      }
    }
    const double scale = std::sqrt(weight(k) / total);
    for (Eigen::Index s = 0; s < count; ++s) {
      const Window& window = windows[static_cast<std::size_t>(s)];
      r.segment((k * count + s) * n, n) = scale * (output_.col(s) - runs[window.run].states.col(window.begin + h + k));
    }
    if (jacobian != nullptr) {
      jacobian->middleRows(k * count * n, count * n) = scale * jp_.transpose();
      std::rotate(sensitivity_.begin(), sensitivity_.begin() + 1, sensitivity_.end());
      sensitivity_.back().swap(jp_);
      known = std::min(known + 1, h);
    }
    if (k + 1 < steps_) advance(runs, windows, k, {});
  }
}

double validation_score(const StepMap& map, ParamsRef params, const TrainingRuns& runs,
                        const TrainingOptions& options) {
  Eigen::Index longest = 0;
  for (const TrainingRun& run : runs) longest = std::max(longest, run.states.cols());
  const Eigen::Index steps = std::min<Eigen::Index>(options.validation_horizon, longest - map.history);
  if (steps < 1) return std::numeric_limits<double>::quiet_NaN();
  const std::vector<Window> every = all_windows(runs, map.history + steps);
  const auto count = std::min(every.size(), static_cast<std::size_t>(options.validation_windows));
  std::vector<Window> windows;
  for (std::size_t i = 0; i < count; ++i) windows.push_back(every[i * every.size() / count]);
  RolloutLoss loss(map, steps, static_cast<double>(steps));
  Vector r;
  loss.residuals(runs, windows, params, 1.0, r, nullptr);
  const Eigen::Index first = static_cast<Eigen::Index>(count) * map.dimension();
  r.head(first) /= std::sqrt(loss.weight(0));
  const double score = std::sqrt(r.squaredNorm() / static_cast<double>(r.size()));
  return std::isfinite(score) ? score : std::numeric_limits<double>::infinity();
}

namespace {

/// What one training carries from epoch to epoch.
class Trainer {
 public:
  Trainer(const StepMap& map, Vector start, const TrainingRuns& training, const TrainingRuns& validation,
          const TrainingOptions& options)
      : map_(map), training_(training), validation_(validation), options_(options), params_(std::move(start)) {
    windows_ = all_windows(training, map.history + options.rollout);
    if (windows_.empty()) {
      fail("no training run has the {} samples that a roll-out of {} steps needs", map.history + options.rollout,
           options.rollout);
    }
    best_ = params_;
    if (options.optimiser == Optimiser::adam) {
      loss_.emplace(map, options.rollout, options.rollout_weight);
      adam_.emplace(params_.size(), options.adam, options.epochs * steps_per_epoch());
    } else {
      set_up_least_squares();
    }
    load();
  }

  TrainingResult run(const TrainingHooks& hooks) {
    Progress progress(hooks.progress, options_.epochs, "epochs");
    progress.advance(epoch_);
    std::string stopped = "all epochs were used";
    while (epoch_ < options_.epochs) {
      if (cancelled()) {
        stopped = "it was cancelled";
        break;
      }
      const bool more = options_.optimiser == Optimiser::adam ? adam_epoch() : lm_epoch();
      ++epoch_;
      progress.advance();
      if (epoch_ % options_.evaluate_every == 0 || epoch_ == options_.epochs || !more) evaluate();
      if (epoch_ % options_.checkpoint_every == 0) save();
      if (!more) stopped = lm_stop_text(lm_->stop());
      if (options_.patience > 0 && stale_ >= options_.patience) {
        stopped = "the validation improved no further";
        break;
      }
      if (hooks.watch && !hooks.watch(epoch_, last_loss_, last_score_)) {
        stopped = "the caller stopped it";
        break;
      }
      if (!more) break;
    }
    save();
    const bool validated = !validation_.empty() && best_epoch_ > 0;
    return {validated ? best_ : params_,
            epoch_,
            validated ? best_epoch_ : epoch_,
            validated ? best_score_ : std::numeric_limits<double>::quiet_NaN(),
            last_loss_,
            stopped};
  }

 private:
  std::int64_t windows_per_epoch() const {
    if (options_.windows_per_run == 0) return static_cast<std::int64_t>(windows_.size());
    return options_.windows_per_run * static_cast<std::int64_t>(training_.size());
  }
  std::int64_t steps_per_epoch() const { return (windows_per_epoch() + options_.batch - 1) / options_.batch; }

  /// The windows of one epoch in their order; it depends on seed and epoch alone.
  std::vector<Window> draw(Random& random) const {
    std::vector<Window> drawn;
    if (options_.windows_per_run == 0) drawn = windows_;
    const Eigen::Index samples = map_.history + options_.rollout;
    for (std::size_t run = 0; run < training_.size() && options_.windows_per_run > 0; ++run) {
      const Eigen::Index places = training_[run].states.cols() - samples + 1;
      for (int i = 0; i < options_.windows_per_run && places > 0; ++i) {
        drawn.push_back({run, static_cast<Eigen::Index>(random.below(static_cast<std::uint64_t>(places)))});
      }
    }
    random.shuffle(drawn);
    return drawn;
  }

  bool adam_epoch() {
    Random random = Random(static_cast<std::uint64_t>(options_.seed)).fork(static_cast<std::uint64_t>(epoch_) + 1);
    const std::vector<Window> drawn = draw(random);
    const double share = options_.epochs > 1 ? static_cast<double>(epoch_) / (options_.epochs - 1) : 0.0;
    const double chance = options_.teacher_start + share * (options_.teacher_end - options_.teacher_start);
    std::function<bool()> teacher;
    if (chance > 0) teacher = [&] { return random.uniform() < chance; };
    double sum = 0;
    const auto size = static_cast<std::size_t>(options_.batch);
    for (std::size_t first = 0; first < drawn.size(); first += size) {
      const std::size_t end = std::min(first + size, drawn.size());
      const std::vector<Window> batch(drawn.begin() + static_cast<std::ptrdiff_t>(first),
                                      drawn.begin() + static_cast<std::ptrdiff_t>(end));
      sum += (*loss_)(training_, batch, params_, &gradient_, teacher) * static_cast<double>(batch.size());
      adam_->step(params_, gradient_);
    }
    last_loss_ = sum / static_cast<double>(drawn.size());
    return true;
  }

  void set_up_least_squares() {
    // About 256 rows a block: enough for a fast product, little memory.
    const Eigen::Index n = map_.dimension(), steps = options_.rollout;
    const Eigen::Index size = std::max<Eigen::Index>(1, 256 / (n * steps));
    std::vector<Window> chosen = windows_;
    if (options_.windows_per_run > 0) {
      Random random = Random(static_cast<std::uint64_t>(options_.seed)).fork(1);
      chosen = draw(random);
    }
    const auto total = static_cast<Eigen::Index>(chosen.size());
    const auto evaluate = [this, chosen, size, total, n](Eigen::Index block, const Vector& params, Vector& r,
                                                         Matrix* jacobian) {
      const Eigen::Index first = block * size, end = std::min(first + size, total);
      const std::vector<Window> part(chosen.begin() + first, chosen.begin() + end);
      lanes_[static_cast<std::size_t>(block % kBlockLanes)]->residuals(
          training_, part, params, 0.5 * static_cast<double>(total * n), r, jacobian);
    };
    for (Eigen::Index i = 0; i < kBlockLanes; ++i) {
      lanes_.push_back(std::make_unique<RolloutLoss>(map_, steps, options_.rollout_weight));
    }
    problem_ = least_squares_in_blocks(params_.size(), (total + size - 1) / size, evaluate, options_.threads);
    LmOptions lm = options_.lm;
    lm.iterations = std::numeric_limits<int>::max();
    lm_.emplace(problem_, params_, lm);
  }

  bool lm_epoch() {
    const bool more = lm_->step();
    params_ = lm_->params();
    last_loss_ = lm_->cost();
    return more;
  }

  void evaluate() {
    if (validation_.empty()) return;
    last_score_ = validation_score(map_, params_, validation_, options_);
    ++stale_;
    if (best_epoch_ > 0 && !(last_score_ < best_score_)) return;
    best_ = params_;
    best_score_ = last_score_;
    best_epoch_ = epoch_;
    stale_ = 0;
  }

  /// What must agree between the training that saved and the one that resumes.
  Json settings() const {
    TrainingOptions same = options_;
    same.checkpoint.clear();
    same.resume = false;
    same.threads = 1;
    same.checkpoint_every = 1;
    Json json;
    json["network"] = map_.network->to_json();
    json["training"] = filigree::to_json(same);
    json["windows"] = windows_.size();
    return json;
  }

  void save() const {
    if (options_.checkpoint.empty()) return;
    Json json;
    json["kind"] = "checkpoint of a training";
    json["settings"] = settings();
    json["epoch"] = epoch_;
    json["params"] = matrix_json(params_.transpose());
    json["best"] = matrix_json(best_.transpose());
    json["best_epoch"] = best_epoch_;
    // JSON has no infinity; a list without a number stands for it.
    json["best_score"] = std::isfinite(best_score_) ? Json::array({best_score_}) : Json::array();
    json["stale"] = stale_;
    json["loss"] = std::isfinite(last_loss_) ? Json::array({last_loss_}) : Json::array();
    json["optimiser"] = adam_ ? adam_->to_json() : lm_->to_json();
    write_file(options_.checkpoint, json.dump() + "\n");
  }

  static double number_or_infinity(const Json& list) {
    return list.is_array() && !list.empty() ? list[0].get<double>() : std::numeric_limits<double>::infinity();
  }

  void load() {
    const std::string& path = options_.checkpoint;
    if (!options_.resume) return;
    if (path.empty()) fail("resume=true needs the name of a checkpoint file");
    if (!std::filesystem::exists(path)) return;
    const Json json = load_json(path);
    for (const char* key :
         {"settings", "epoch", "params", "best", "best_epoch", "best_score", "stale", "loss", "optimiser"}) {
      if (!json.is_object() || !json.contains(key)) fail("{}: '{}' is missing; it is not a checkpoint", path, key);
    }
    if (json["settings"].dump() != settings().dump()) {
      fail("{}: the checkpoint belongs to a training with other data or settings; remove it or restore them", path);
    }
    params_ = matrix_from_json(json["params"], path, "params").transpose();
    best_ = matrix_from_json(json["best"], path, "best").transpose();
    if (params_.size() != map_.network->num_parameters() || best_.size() != params_.size()) {
      fail("{}: the checkpoint has {} parameters where the network has {}", path, params_.size(),
           map_.network->num_parameters());
    }
    detail::read_value(json["epoch"], epoch_, non_negative, path, "epoch");
    detail::read_value(json["best_epoch"], best_epoch_, non_negative, path, "best_epoch");
    detail::read_value(json["stale"], stale_, non_negative, path, "stale");
    best_score_ = number_or_infinity(json["best_score"]);
    last_loss_ = number_or_infinity(json["loss"]);
    if (adam_)
      adam_->restore(json["optimiser"], path);
    else
      lm_->restore(json["optimiser"], path);
  }

  const StepMap& map_;
  const TrainingRuns& training_;
  const TrainingRuns& validation_;
  const TrainingOptions& options_;
  std::vector<Window> windows_;
  Vector params_, best_, gradient_;
  std::optional<RolloutLoss> loss_;
  std::optional<Adam> adam_;
  std::vector<std::unique_ptr<RolloutLoss>> lanes_;  // scratch of the blocks
  LeastSquares problem_;
  std::optional<LevenbergMarquardt> lm_;
  int epoch_ = 0, best_epoch_ = 0, stale_ = 0;
  double best_score_ = std::numeric_limits<double>::infinity();
  double last_score_ = std::numeric_limits<double>::quiet_NaN();
  double last_loss_ = std::numeric_limits<double>::quiet_NaN();
};

}  // namespace

TrainingResult train(const StepMap& map, Vector start, const TrainingRuns& training, const TrainingRuns& validation,
                     const TrainingOptions& options, const TrainingHooks& hooks) {
  FILIGREE_ASSERT(start.size() == map.network->num_parameters());
  Trainer trainer(map, std::move(start), training, validation, options);
  return trainer.run(hooks);
}

}  // namespace filigree::dynamics
