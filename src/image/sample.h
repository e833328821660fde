#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/progress.h"
#include "image/dit.h"
#include "image/scheduler.h"

/// Latents from noise, with guidance. B images, C latent channels, H and W latent cells.
namespace filigree::image {

/// What a step has led to.
struct StepView {
  std::size_t step, steps;    ///< counted from 1, and of how many
  const at::Tensor& latents;  ///< (B, C, H, W) float32
  const at::Tensor& data;     ///< what the network takes the picture for at this step
};

struct SampleHooks {
  ProgressSink* progress = nullptr;
  std::function<void(const StepView&)> on_step = {};
};

/// Walks from step to step; the same walk may go on with another network.
class Sampler {
 public:
  Sampler(std::unique_ptr<Scheduler> scheduler, Noise noise, SampleHooks hooks);

  const Schedule& schedule() const { return scheduler_->schedule(); }
  std::size_t steps() const { return scheduler_->steps(); }

  /// The timesteps as the transformer's prepare() takes them.
  at::Tensor timesteps() const;

  /// Latents of data at a step: (1 − σ) data + σ noise.
  at::Tensor noised(const at::Tensor& data, const at::Tensor& noise, std::size_t step) const;

  /// Changes latents after every step; `step` is the one they stand at. For inpainting.
  std::function<at::Tensor(const at::Tensor& latents, std::size_t step)> constrain = {};

  /// Takes the steps first … last − 1. False where the work was cancelled: the latents are then those of the last step
  /// that was completed.
  bool run(at::Tensor& latents, std::size_t first, std::size_t last, const Velocity& velocity);

 private:
  std::unique_ptr<Scheduler> scheduler_;
  Noise noise_;
  SampleHooks hooks_;
  std::unique_ptr<Progress> progress_;
};

/// What the picture is to be, and what it is not to be. The second means nothing without guidance.
struct TextPair {
  Conditioning positive, negative;
};

/// Classifier-free guidance: v = v_negative + guidance (v_positive − v_negative), both in one batch [negative, positive].
/// Without it where guidance ≤ 1, as the reference has it. `dit` must live as long as what is returned.
Velocity guided_velocity(const Dit& dit, const TextPair& texts, double guidance, const at::Tensor& timestep_S);

/// How text and source picture weigh against each other in editing (HiDream-ai/HiDream-E1:
/// pipeline_hidream_image_editing.py).
struct EditGuidance {
  double text = 5, image = 4;
  /// Norm-clipped: with u = (positive, no picture), c = (negative, picture), f = (positive, picture):
  /// p = c + text (f − c), shortened at each latent cell to at most f's length; v = u + image (p − u).
  /// Else three ways: with u = (negative, no picture): v = u + image (c − u) + text (f − c).
  bool clip_norm = true;
};

/// The transformer sees the noisy latents and those of the source side by side. One batch of three, or f alone where
/// guidance.text ≤ 1.
Velocity edit_velocity(const Dit& dit, const TextPair& texts, const at::Tensor& source_BCHW,
                       const EditGuidance& guidance, const at::Tensor& timestep_S);

/// What follows "Target Image Description:" in an instruction, for the refine stage; nullopt where there is none.
std::optional<std::string> target_description(const std::string& instruction);

/// The first step of the refine stage: steps (1 − strength), cut to a whole number.
std::size_t refine_step(std::size_t steps, double strength);

/// The most tokens of a transformer that edits: two pictures side by side. Twice what it takes of one picture, unless its
/// config is for pairs already (E1).
std::int64_t edit_tokens(const Dit& dit);

/// The two forms of guidance, for tests: of outputs of the network in the order of the batch.
at::Tensor combine_edit(const at::Tensor& output_3BCHW, const EditGuidance& guidance);

}  // namespace filigree::image
