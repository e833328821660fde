#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "dynamics/network.h"
#include "dynamics/optimise.h"

/// Training of a network that gives the next sample from the last ones: one-step and roll-out losses, Adam or
/// Levenberg–Marquardt, early stopping on validation roll-outs, checkpoints.
namespace filigree::dynamics {

enum class Optimiser { adam, levenberg_marquardt };

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::Optimiser> {
  static constexpr std::array<std::pair<filigree::dynamics::Optimiser, std::string_view>, 2> table{
      {{filigree::dynamics::Optimiser::adam, "adam"},
       {filigree::dynamics::Optimiser::levenberg_marquardt, "levenberg_marquardt"}}};
};

namespace filigree::dynamics {

struct TrainingOptions {
  Optimiser optimiser = Optimiser::levenberg_marquardt;
  int epochs = 100;  // for Levenberg–Marquardt: steps
  int batch = 128;   // windows a step of Adam
  int rollout = 1;   // steps that a window is rolled out
  double rollout_weight = 1;
  double teacher_start = 0, teacher_end = 0;
  int windows_per_run = 0;
  double validation_share = 0.2;
  int validation_horizon = 50;
  int validation_windows = 64;
  int evaluate_every = 1;
  int patience = 0;
  std::int64_t seed = 1;
  int threads = 1;
  AdamOptions adam = {};
  LmOptions lm = {};
  std::string checkpoint = {};
  int checkpoint_every = 10;
  bool resume = false;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("optimiser", self.optimiser, "adam or levenberg_marquardt");
    v.optional("epochs", self.epochs, "passes over the windows (Adam) or steps (Levenberg-Marquardt)", non_negative);
    v.optional("batch", self.batch, "windows in a step of Adam", at_least(1));
    v.optional("rollout", self.rollout, "steps that a window is rolled out; 1 for the one-step loss", at_least(1));
    v.optional("rollout_weight", self.rollout_weight, "weight of the roll-out beside the first step", non_negative);
    v.optional("teacher_start", self.teacher_start, "chance that a step starts from the data, at first", fraction);
    v.optional("teacher_end", self.teacher_end, "the same in the last epoch", fraction);
    v.optional("windows_per_run", self.windows_per_run, "random windows of a run in an epoch; 0 for all", non_negative);
    v.optional("validation_share", self.validation_share, "share of the data kept for validation", between(0, 0.9));
    v.optional("validation_horizon", self.validation_horizon, "steps of a validation roll-out", at_least(1));
    v.optional("validation_windows", self.validation_windows, "validation roll-outs at most", at_least(1));
    v.optional("evaluate_every", self.evaluate_every, "epochs between validations", at_least(1));
    v.optional("patience", self.patience, "validations without gain before it stops; 0 for no end", non_negative);
    v.optional("seed", self.seed, "of weights, order and windows");
    v.optional("threads", self.threads, "threads of Levenberg-Marquardt", at_least(1));
    v.optional("adam", self.adam, "settings of Adam");
    v.optional("lm", self.lm, "settings of Levenberg-Marquardt; its iterations are not used");
    v.optional("checkpoint", self.checkpoint, "file that keeps the state of the training");
    v.optional("checkpoint_every", self.checkpoint_every, "epochs between checkpoints", at_least(1));
    v.optional("resume", self.resume, "go on from the checkpoint if there is one");
  }
};

/// What the caller wants to see of a training; all may be empty.
struct TrainingHooks {
  ProgressSink* progress = nullptr;
  /// After every epoch; false stops the training.
  std::function<bool(int epoch, double loss, double score)> watch = {};
};

/// Normalised samples in columns.
struct TrainingRun {
  Matrix states;    ///< (coordinates, samples)
  Matrix controls;  ///< (controls, samples); no rows where there are none
};
using TrainingRuns = std::vector<TrainingRun>;

/// A network that gives the next state from a window: its inputs are the last `history` states, oldest first, then the
/// controls at the newest one.
struct StepMap {
  NetworkPtr network;
  Eigen::Index history = 1;

  Eigen::Index dimension() const { return network->outputs(); }
  Eigen::Index num_controls() const { return network->inputs() - history * network->outputs(); }
};

/// Where a window begins: its first state is runs[run].states.col(begin). A roll-out over `steps` needs
/// history + steps samples from there.
struct Window {
  std::size_t run = 0;
  Eigen::Index begin = 0;
};
std::vector<Window> all_windows(const TrainingRuns& runs, Eigen::Index samples, Eigen::Index stride = 1);

/// The loss of a batch of windows rolled out together, with its gradient by back-propagation through the roll-out.
/// loss = mean over windows and coordinates of Σ_k w_k e_k², w_k = rollout_weight / steps, and first_weight more for the
/// first.
class RolloutLoss {
 public:
  RolloutLoss(const StepMap& map, Eigen::Index steps, double rollout_weight, double first_weight = 1);

  /// Where `teacher` (called for every window and every step but the first) says so, a step starts from the data.
  double operator()(const TrainingRuns& runs, const std::vector<Window>& windows, ParamsRef params, Vector* gradient,
                    const std::function<bool()>& teacher = {});

  double weight(Eigen::Index step) const;

  /// For Levenberg–Marquardt: residuals √(w_k / total) e_k, step by step, and their derivatives, without teacher.
  /// ½ Σ r² is the loss where `total` is half the number of windows times that of the coordinates.
  void residuals(const TrainingRuns& runs, const std::vector<Window>& windows, ParamsRef params, double total,
                 Vector& r, Matrix* jacobian);

 private:
  void gather(const TrainingRuns& runs, const std::vector<Window>& windows, Eigen::Index step);
  void advance(const TrainingRuns& runs, const std::vector<Window>& windows, Eigen::Index step,
               const std::function<bool()>& teacher);
  void back(ParamsRef params, Vector& gradient);

  StepMap map_;
  Eigen::Index steps_;
  double rollout_weight_, first_weight_;
  std::vector<Matrix> input_, error_;
  std::vector<std::unique_ptr<Tape>> tapes_;
  std::vector<Eigen::Array<bool, 1, Eigen::Dynamic>> taught_;  // whether input k begins from data, by window
  Matrix output_, dinput_, dnext_, doutput_;
  Matrix jp_, jx_;
  std::vector<Matrix> sensitivity_;  // of the states in the window, as jp; empty for data
};

/// Root mean squared error over all steps and coordinates of roll-outs from evenly spaced windows; infinite where one
/// diverges.
double validation_score(const StepMap& map, ParamsRef params, const TrainingRuns& runs, const TrainingOptions& options);

struct TrainingResult {
  Vector params;   ///< of the best validation, or the last where there is none
  int epochs = 0;  ///< done in all
  int best_epoch = 0;
  double score = 0;     ///< validation score of `params`; not a number where there is no validation
  double loss = 0;      ///< of the last epoch
  std::string stopped;  ///< why it ended
};

/// Trains from the given parameters. With a checkpoint file it saves now and then, at the end and where it is
/// cancelled; `resume` goes on from there, and the result is bit for bit that of a training which was never stopped.
/// Error where no window fits into the runs, or the checkpoint belongs to another training.
TrainingResult train(const StepMap& map, Vector start, const TrainingRuns& training, const TrainingRuns& validation,
                     const TrainingOptions& options, const TrainingHooks& hooks = {});

}  // namespace filigree::dynamics
