#include "image/pipeline.h"

#include <algorithm>
#include <filesystem>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include "base/cancel.h"
#include "base/error.h"
#include "image/autoencoder.h"
#include "image/pixels.h"
#include "image/preview.h"
#include "image/prompts.h"
#include "image/sample.h"
#include "tensor/device.h"

namespace filigree::image {
namespace {

namespace fs = std::filesystem;

/// Every picture of a batch draws from a generator of its own, so that it is the same alone.
class BatchNoise {
 public:
  BatchNoise(std::int64_t seed, std::int64_t images) {
    for (std::int64_t i = 0; i < images; ++i) {
      generators_.push_back(at::detail::createCPUGenerator(static_cast<std::uint64_t>(seed + i)));
    }
  }
  at::Tensor operator()(at::IntArrayRef shape) {
    std::vector<std::int64_t> one = shape.vec();
    one[0] = 1;
    std::vector<at::Tensor> parts;
    for (at::Generator& generator : generators_) parts.push_back(at::randn(one, generator));
    return at::cat(parts);
  }

 private:
  std::vector<at::Generator> generators_;
};

at::ScalarType network_dtype(const spec::Picture& p, at::Device device) {
  const at::ScalarType dtype = tensor::parse_dtype(p.dtype.value_or(device.is_cpu() ? "float32" : "bfloat16"));
  if (dtype == at::kHalf && device.is_cpu()) fail("float16 is not computed on a CPU; take bfloat16 or float32");
  return dtype;
}

/// Convolutions of a CPU are slow in other types.
at::ScalarType autoencoder_dtype(at::ScalarType dtype, at::Device device) {
  return device.is_cpu() ? at::kFloat : dtype;
}

/// One call of make_pictures.
class Job {
 public:
  Job(const Resolved& resolved, std::int64_t images, const RunOptions& options, const RunHooks& hooks)
      : resolved_(resolved),
        p_(resolved.settings),
        images_(images),
        options_(options),
        hooks_(hooks),
        noise_(*p_.seed, images),
        dtype_(network_dtype(p_, options.device)) {}

  Made run();

 private:
  at::TensorOptions network_options() const { return at::TensorOptions().dtype(dtype_).device(options_.device); }
  void load_autoencoder_and_input();
  void encode(Made& made);
  Dit load_transformer(const std::optional<std::string>& own, bool with_loras) const;
  Sampler make_sampler();
  bool generate(Sampler& sampler);
  bool edit(Sampler& sampler);
  void constrain_to_mask(Sampler& sampler, const at::Tensor& noise);
  Picture finish(std::int64_t image) const;

  const Resolved& resolved_;
  const spec::Picture& p_;
  std::int64_t images_;
  const RunOptions& options_;
  const RunHooks& hooks_;
  BatchNoise noise_;
  at::ScalarType dtype_;
  std::optional<Autoencoder> autoencoder_;
  std::optional<LatentPreview> preview_;
  at::Tensor input_, mask_;                    ///< (1, 3, H, W) and (1, 1, H, W) in [0, 1], at the working size
  at::Tensor input_latents_;                   ///< (1, C, h, w)
  Conditioning positive_, negative_, target_;  ///< of one text each; negative_ means nothing without guidance
  std::int64_t out_height_ = 0, out_width_ = 0;
  at::Tensor latents_;
};

std::string instruction_text(const spec::Picture& p) {
  if (*p.task != "edit" || !p.target) return *p.prompt;
  return fmt::format("Editing Instruction: {}. Target Image Description: {}", *p.prompt, *p.target);
}

void Job::load_autoencoder_and_input() {
  const at::TensorOptions options =
      at::TensorOptions().dtype(autoencoder_dtype(dtype_, options_.device)).device(options_.device);
  autoencoder_.emplace(load_autoencoder((fs::path(*p_.model) / "vae").string(), options));
  if (hooks_.preview) preview_.emplace(*autoencoder_);
  out_height_ = *p_.height;
  out_width_ = *p_.width;
  if (!p_.input) return;
  const Picture input = read_picture(*p_.input);
  const bool whole =
      *p_.task == "edit" && resolved_.transformer.max_resolution[1] > resolved_.transformer.max_resolution[0];
  const auto fitted = [&](const at::Tensor& x) {
    return whole ? resize(x, *p_.height, *p_.width) : resize_and_crop(x, *p_.height, *p_.width);
  };
  input_ = fitted(to_tensor(input));
  if (p_.mask) mask_ = fitted(to_mask(read_picture(*p_.mask)));
  if (*p_.task == "edit") {
    out_height_ = input.height;
    out_width_ = input.width;
  }
  const at::Tensor pixels = (input_ * 2 - 1).to(options.device(), c10::typeMetaToScalarType(options.dtype()));
  input_latents_ = autoencoder_->to_model(autoencoder_->encode(pixels).mean_BCHW).to(options_.device, at::kFloat);
}

void Job::encode(Made& made) {
  const std::string text = instruction_text(p_);
  // The description of the target stands first where there is one, the negative text last where it is used.
  std::vector<Prompt> prompts{{text, p_.prompt_clip_l, p_.prompt_clip_g, p_.prompt_t5, p_.prompt_llama}};
  const bool refined = *p_.task == "edit" && *p_.refine > 0, guided = *p_.guidance > 1;
  if (refined) {
    const std::optional<std::string> target = target_description(text);
    prompts.insert(prompts.begin(), target ? Prompt{*target} : prompts[0]);
  }
  if (guided) {
    prompts.push_back({*p_.negative, p_.negative_clip_l, p_.negative_clip_g, p_.negative_t5, p_.negative_llama});
  }
  const spec::Dit& dit = resolved_.transformer;
  EncodeSettings settings{.max_tokens = *p_.max_tokens, .options = network_options()};
  settings.sizes = {dit.caption_channels.at(0), dit.caption_channels.at(1), dit.text_emb_dim,
                    *std::max_element(dit.llama_layers.begin(), dit.llama_layers.end()) + 1};
  const EncodedPrompts encoded = encode_prompts({*p_.model, *p_.llama}, prompts, settings, hooks_.progress);
  for (const std::string& warning : encoded.warnings) {
    made.notes.push_back(warning);
    if (hooks_.note) hooks_.note(warning);
  }
  if (cancelled()) return;
  target_ = slice(encoded.conditioning, 0, 1);
  positive_ = slice(encoded.conditioning, refined ? 1 : 0, 1);
  negative_ = slice(encoded.conditioning, static_cast<std::int64_t>(prompts.size()) - 1, 1);
}

Dit Job::load_transformer(const std::optional<std::string>& own, bool with_loras) const {
  const std::string place = own ? *own : (fs::path(*p_.model) / "transformer").string();
  Dit dit = load_dit(
      place, {network_options(), options_.stream, parse_loras(with_loras ? p_.loras : std::vector<std::string>())});
  dit.options.padding = *p_.padding == "none" ? Padding::none : Padding::one_row;
  dit.options.cancel_within_step = true;
  return dit;
}

Sampler Job::make_sampler() {
  SampleHooks hooks{hooks_.progress, {}};
  if (preview_) hooks.on_step = [this](const StepView& view) { hooks_.preview((*preview_)(view.data)); };
  return {make_scheduler({*p_.scheduler, *p_.steps, *p_.shift, p_.second_shift.value_or(0)}),
          [this](at::IntArrayRef shape) { return noise_(shape); }, std::move(hooks)};
}

/// Outside the mask the latents follow the input's.
void Job::constrain_to_mask(Sampler& sampler, const at::Tensor& noise) {
  const std::int64_t cell = autoencoder_->config().reduction();
  const at::Tensor anew = at::max_pool2d(mask_, {cell, cell}).gt(0.5).to(options_.device, at::kFloat);
  sampler.constrain = [this, &sampler, noise, anew](const at::Tensor& latents, std::size_t step) {
    return anew * latents + (1 - anew) * sampler.noised(input_latents_, noise, step);
  };
}

bool Job::generate(Sampler& sampler) {
  const std::int64_t cell = autoencoder_->config().reduction();
  const at::Tensor noise =
      noise_({images_, resolved_.transformer.in_channels, *p_.height / cell, *p_.width / cell}).to(options_.device);
  latents_ = noise;
  std::size_t first = 0;
  if (p_.input) {
    const auto taken = static_cast<std::size_t>(static_cast<double>(*p_.steps) * *p_.strength);
    if (taken == 0) fail("a strength of {} leaves none of {} steps", *p_.strength, *p_.steps);
    first = sampler.steps() - std::min(taken, sampler.steps());
    latents_ = sampler.noised(input_latents_, noise, first);
    if (mask_.defined()) constrain_to_mask(sampler, noise);
  }
  const Dit dit = load_transformer(p_.transformer, true);
  return sampler.run(latents_, first, sampler.steps(),
                     guided_velocity(dit, {positive_, negative_}, *p_.guidance, sampler.timesteps()));
}

bool Job::edit(Sampler& sampler) {
  std::vector<std::int64_t> shape = input_latents_.sizes().vec();
  shape[0] = images_;
  latents_ = noise_(shape).to(options_.device);
  const std::size_t change = *p_.refine > 0 ? refine_step(sampler.steps(), *p_.refine) : sampler.steps();
  std::optional<Dit> dit(load_transformer(p_.edit_transformer ? p_.edit_transformer : p_.transformer, true));
  const std::int64_t most = dit->max_seq = edit_tokens(*dit);
  const EditGuidance guidance{*p_.guidance, *p_.image_guidance, *p_.clip_norm};
  if (!sampler.run(latents_, 0, change,
                   edit_velocity(*dit, {positive_, negative_}, input_latents_, guidance, sampler.timesteps()))) {
    return false;
  }
  if (change == sampler.steps()) return true;
  if (p_.edit_transformer || !p_.loras.empty()) {
    dit.reset();  // before the other one comes; what was added to the editing one is not added to it
    dit.emplace(load_transformer(p_.transformer, false));
    dit->max_seq = most;
  }
  return sampler.run(latents_, change, sampler.steps(),
                     guided_velocity(*dit, {target_, negative_}, *p_.guidance, sampler.timesteps()));
}

Picture Job::finish(std::int64_t image) const {
  constexpr std::int64_t kTile = 1024, kUntiled = std::int64_t{1536} * 1536;
  const Tiling tiling{*p_.height * *p_.width > kUntiled ? kTile : 0, 0};
  const at::Tensor latents = autoencoder_->from_model(latents_.narrow(0, image, 1)).to(autoencoder_->dtype());
  at::Tensor pixels = (autoencoder_->decode(latents, tiling).to(at::kCPU, at::kFloat) / 2 + 0.5).clamp(0, 1);
  if (mask_.defined()) pixels = mask_ * pixels + (1 - mask_) * input_;
  Picture picture = to_picture(resize(pixels, out_height_, out_width_));
  spec::Picture settings = p_;
  settings.seed = *p_.seed + image;
  settings.dtype = tensor::dtype_name(dtype_);
  picture.texts = spec::picture_texts(settings);
  return picture;
}

Made Job::run() {
  const c10::NoGradGuard no_grad;
  Made made{{}, resolved_.notes, false};
  load_autoencoder_and_input();
  encode(made);
  if (cancelled()) return made;
  Sampler sampler = make_sampler();
  const bool done = *p_.task == "edit" ? edit(sampler) : generate(sampler);
  if (!done) return made;
  for (std::int64_t i = 0; i < images_; ++i) made.pictures.push_back(finish(i));
  made.complete = true;
  return made;
}

}  // namespace

MemoryPlan plan_run(const Resolved& resolved, std::int64_t images, const RunOptions& options) {
  const spec::Picture& p = resolved.settings;
  const fs::path model = *p.model;
  const at::ScalarType dtype = network_dtype(p, options.device);
  const std::string device = options.device.str();
  const Holding held = options.stream ? Holding::layer_by_layer : Holding::whole;
  const bool edit = *p.task == "edit", guided = *p.guidance > 1;
  const std::int64_t tokens = *p.height / resolved.multiple * (*p.width / resolved.multiple) * (edit ? 2 : 1);
  const std::int64_t batch = images * (!guided ? 1 : edit ? 3 : 2);
  std::vector<PlannedPart> parts;
  int phase = 0;
  for (const auto& [name, folder] :
       {std::pair{"CLIP-L", "text_encoder"}, {"CLIP-G", "text_encoder_2"}, {"T5", "text_encoder_3"}}) {
    parts.push_back({name, (model / folder).string(), dtype, device, Holding::layer_by_layer, phase++, 0});
  }
  parts.push_back({"Llama", *p.llama, dtype, device, Holding::layer_by_layer, phase++, 0});
  const std::string own = p.transformer.value_or((model / "transformer").string());
  const auto add = [&](const std::string& name, const std::string& path, const spec::Dit& config) {
    parts.push_back({name, path, dtype, device, held, phase++, working_bytes(config, tokens, batch, dtype)});
  };
  if (edit && p.edit_transformer) {
    add("editing transformer", *p.edit_transformer, resolved.transformer);
    if (*p.refine > 0) add("transformer", own, read_dit_config(own));
  } else {
    add("transformer", own, resolved.transformer);
  }
  // The autoencoder stays all the time, so it stands with the largest.
  parts.push_back({"autoencoder", (model / "vae").string(), autoencoder_dtype(dtype, options.device), device,
                   Holding::whole, phase - 1, 0});
  return plan_memory(parts);
}

Made make_pictures(const Resolved& resolved, std::int64_t images, const RunOptions& options, const RunHooks& hooks) {
  constexpr std::int64_t kMostImages = 1024;
  if (images < 1 || images > kMostImages)
    fail("{} pictures cannot be made at once; expected 1 to {}", images, kMostImages);
  return Job(resolved, images, options, hooks).run();
}

}  // namespace filigree::image
