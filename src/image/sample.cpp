#include "image/sample.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/cancel.h"
#include "base/text.h"
#include "image/prompts.h"

namespace filigree::image {
namespace {

/// The network's output, which is data − noise, for latents in float32. Undefined where it was cancelled.
at::Tensor call(const Dit& dit, const Prepared& prepared, const at::Tensor& latents, std::size_t step) {
  const c10::NoGradGuard no_grad;
  const at::Tensor output = dit(latents.to(dit.device(), dit.dtype()), prepared, static_cast<std::int64_t>(step));
  return output.defined() ? output.to(latents.device(), at::kFloat) : output;
}

/// One conditioning for every image of a batch, as the transformer's batch wants it.
Conditioning repeated(const std::vector<Conditioning>& parts, std::int64_t images) {
  std::vector<Conditioning> all;
  for (const Conditioning& part : parts) {
    const std::int64_t times = part.pooled_BP.size(0) == images ? 1 : images;
    for (std::int64_t i = 0; i < times; ++i) all.push_back(part);
  }
  return join(all);
}

/// Prepares at the first call, when the number of images is known.
class Network {
 public:
  Network(const Dit& dit, std::vector<Conditioning> parts, at::Tensor timestep_S)
      : dit_(&dit), parts_(std::move(parts)), timestep_S_(std::move(timestep_S)) {}

  at::Tensor operator()(const at::Tensor& latents, std::size_t step) {
    if (!prepared_) {
      const c10::NoGradGuard no_grad;
      const std::int64_t images = latents.size(0) / static_cast<std::int64_t>(parts_.size());
      prepared_ = std::make_shared<Prepared>(dit_->prepare(repeated(parts_, images), timestep_S_));
    }
    return call(*dit_, *prepared_, latents, step);
  }

 private:
  const Dit* dit_;
  std::vector<Conditioning> parts_;
  at::Tensor timestep_S_;
  std::shared_ptr<Prepared> prepared_;
};

}  // namespace

Sampler::Sampler(std::unique_ptr<Scheduler> scheduler, Noise noise, SampleHooks hooks)
    : scheduler_(std::move(scheduler)), noise_(std::move(noise)), hooks_(std::move(hooks)) {}

at::Tensor Sampler::timesteps() const { return at::tensor(schedule().timestep); }

at::Tensor Sampler::noised(const at::Tensor& data, const at::Tensor& noise, std::size_t step) const {
  const auto sigma = static_cast<double>(schedule().sigma.at(step));
  return (1 - sigma) * data + sigma * noise;
}

bool Sampler::run(at::Tensor& latents, std::size_t first, std::size_t last, const Velocity& velocity) {
  if (!progress_) {
    progress_ = std::make_unique<Progress>(hooks_.progress, static_cast<std::int64_t>(steps() - first), "steps");
  }
  at::Tensor data = latents;
  const Velocity watched = [&](const at::Tensor& x, std::size_t step) {
    at::Tensor v = velocity(x, step);
    if (v.defined()) data = x - static_cast<double>(schedule().sigma[step]) * v;
    return v;
  };
  for (std::size_t step = first; step < last; ++step) {
    if (cancelled()) return false;
    at::Tensor next = scheduler_->step(step, latents, watched, noise_);
    if (!next.defined()) return false;
    latents = constrain ? constrain(next, step + 1) : next;
    progress_->advance();
    if (hooks_.on_step) hooks_.on_step({step + 1, steps(), latents, data});
  }
  return true;
}

Velocity guided_velocity(const Dit& dit, const TextPair& texts, double guidance, const at::Tensor& timestep_S) {
  if (guidance <= 1) {
    return [network = Network(dit, {texts.positive}, timestep_S)](const at::Tensor& x, std::size_t step) mutable {
      const at::Tensor output = network(x, step);
      return output.defined() ? -output : output;
    };
  }
  return [network = Network(dit, {texts.negative, texts.positive}, timestep_S), guidance](const at::Tensor& x,
                                                                                          std::size_t step) mutable {
    const at::Tensor output = network(at::cat({x, x}), step);
    if (!output.defined()) return output;
    const std::vector<at::Tensor> parts = output.chunk(2);
    return -(parts[0] + guidance * (parts[1] - parts[0]));
  };
}

std::optional<std::string> target_description(const std::string& instruction) {
  const std::string words = "Target Image Description:";
  const std::size_t at = instruction.find(words);
  if (at == std::string::npos) return std::nullopt;
  const std::string rest = instruction.substr(at + words.size());
  return std::string(text::trim(rest.substr(0, rest.find(words))));
}

std::size_t refine_step(std::size_t steps, double strength) {
  return static_cast<std::size_t>(static_cast<double>(steps) * (1.0 - strength));
}

std::int64_t edit_tokens(const Dit& dit) {
  const std::vector<std::int64_t>& most = dit.config().max_resolution;
  const std::int64_t patch = dit.config().patch_size, one = most[0] * most[1] / (patch * patch);
  return most[1] > most[0] ? one : 2 * one;
}

at::Tensor combine_edit(const at::Tensor& output_3BCHW, const EditGuidance& guidance) {
  const std::vector<at::Tensor> parts = output_3BCHW.chunk(3);
  const at::Tensor &u = parts[0], &c = parts[1], &f = parts[2];
  if (!guidance.clip_norm) return u + guidance.image * (c - u) + guidance.text * (f - c);
  const at::Tensor p = c + guidance.text * (f - c);
  const auto length = [](const at::Tensor& x) { return x.square().sum(1, true).sqrt(); };
  const at::Tensor scale = (length(f) / (length(p) + 1e-8)).clamp(0, 1);
  return u + guidance.image * (p * scale - u);
}

Velocity edit_velocity(const Dit& dit, const TextPair& texts, const at::Tensor& source_BCHW,
                       const EditGuidance& guidance, const at::Tensor& timestep_S) {
  const std::int64_t width = source_BCHW.size(-1);
  const auto beside = [](const at::Tensor& x, const at::Tensor& source) {
    return at::cat({x, source.expand_as(x)}, -1);
  };
  if (guidance.text <= 1) {
    return [beside, source_BCHW, width, network = Network(dit, {texts.positive}, timestep_S)](
               const at::Tensor& x, std::size_t step) mutable {
      const at::Tensor output = network(beside(x, source_BCHW), step);
      return output.defined() ? -output.narrow(-1, 0, width) : output;
    };
  }
  std::vector<Conditioning> parts{texts.negative, texts.negative, texts.positive};
  if (guidance.clip_norm) parts[0] = texts.positive;
  return [beside, source_BCHW, guidance, width, network = Network(dit, parts, timestep_S)](const at::Tensor& x,
                                                                                           std::size_t step) mutable {
    const at::Tensor pair = beside(x, source_BCHW);
    const at::Tensor output = network(at::cat({beside(x, at::zeros_like(source_BCHW)), pair, pair}), step);
    return output.defined() ? -combine_edit(output.narrow(-1, 0, width), guidance) : output;
  };
}

}  // namespace filigree::image
