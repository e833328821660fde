#include <algorithm>
#include <filesystem>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "image/autoencoder.h"
#include "image/pipeline.h"
#include "image/pixels.h"
#include "image/prompts.h"
#include "image/sample.h"
#include "support/paths.h"
#include "tensor/device.h"
#include "tensor/safetensors.h"

/// Whole runs of the HiDream case: texts, transformer, scheduler, autoencoder, in float32. Sizes, seeds and settings come
/// from the case's files.
namespace filigree::image {
namespace {

namespace fs = std::filesystem;

constexpr double kLatents = 2e-3;      // relative: rounding grows over the steps
constexpr double kSamePixels = 0.999;  // share of values that may differ by 1 of 255 at most
constexpr double kRefine = 0.3;        // published refine strength

std::string text_of(const Json& json, const char* key) { return json.at(key).get<std::string>(); }
std::uint64_t seed_of(const Json& json, const char* key) { return json.at(key).get<std::uint64_t>(); }

class PipelineReference : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(test::reference_dir()) / "hidream";
    if (!fs::is_directory(folder_)) GTEST_SKIP() << "no reference case at " << folder_.string();
    case_ = load_json(folder_ / "case.json");
    edit_ = load_json(folder_ / "edit.json");
    reference_.emplace(tensor::SafeTensors::open(folder_ / "reference.safetensors"));
    base_.emplace(load_dit((folder_ / "model" / "transformer").string()));
    autoencoder_.emplace(load_autoencoder((folder_ / "model" / "vae").string()));
  }

  EncodedPrompts encode(const std::vector<Prompt>& prompts) const {
    return encode_prompts({folder_ / "model", folder_ / "llama"}, prompts,
                          {.max_tokens = case_.at("max_sequence_length").get<std::int64_t>(), .options = at::kFloat});
  }

  std::unique_ptr<Scheduler> scheduler(const std::string& run, const std::string& name,
                                       const std::string& variant) const {
    const fs::path config = folder_ / "model" / "scheduler" / "scheduler_config.json";
    SchedulerSettings settings = scheduler_from_json(load_json(config), config.string());
    if (!name.empty()) settings.name = name;  // else the folder's own
    settings.steps = reference(run + ".latents").size(0);
    if (!variant.empty()) settings.shift = find_variant(variant).shift;
    return make_scheduler(settings);
  }

  at::Tensor reference(const std::string& name) const { return reference_->get(name); }

  /// Expects the latents of every step, and the picture at the end.
  void expect_run(const std::string& run, const std::vector<at::Tensor>& latents) const {
    const at::Tensor expected = reference(run + ".latents");
    ASSERT_EQ(static_cast<std::int64_t>(latents.size()), expected.size(0));
    for (std::size_t i = 0; i < latents.size(); ++i) {
      const at::Tensor one = expected[static_cast<std::int64_t>(i)];
      ASSERT_EQ(latents[i].sizes(), one.sizes());
      EXPECT_LE(((latents[i] - one).norm() / one.norm()).item<double>(), kLatents) << run << ", step " << i + 1;
    }
    const at::Tensor image = (autoencoder_->decode(autoencoder_->from_model(latents.back())) / 2 + 0.5).clamp(0, 1);
    const at::Tensor expected_image = reference(run + ".image");
    ASSERT_EQ(image.sizes(), expected_image.sizes());
    const at::Tensor difference = ((image * 255).round() - (expected_image * 255).round()).abs();
    EXPECT_GE(difference.le(1).to(at::kFloat).mean().item<double>(), kSamePixels) << run;
  }

  void text_to_image(const std::string& run, const std::string& name, const std::string& variant = "") const {
    const EncodedPrompts texts = encode({{text_of(case_, "negative_prompt")}, {text_of(case_, "prompt")}});
    std::vector<at::Tensor> latents;
    Sampler sampler(scheduler(run, name, variant), [](at::IntArrayRef shape) { return at::randn(shape); },
                    {nullptr, [&](const StepView& view) { latents.push_back(view.latents.clone()); }});
    const auto guidance = case_.at("guidance").at(run).get<double>();
    const Velocity velocity = guided_velocity(
        *base_, {slice(texts.conditioning, 1, 1), slice(texts.conditioning, 0, 1)}, guidance, sampler.timesteps());
    at::manual_seed(seed_of(case_, "global_generator_seed_before_each_text_to_image_run"));
    const at::Generator generator = at::detail::createCPUGenerator(seed_of(case_, "generator_seed_for_runs"));
    at::Tensor x = at::randn(reference(run + ".latents")[0].sizes(), generator);
    ASSERT_TRUE(sampler.run(x, 0, sampler.steps(), velocity));
    expect_run(run, latents);
  }

  void edit(const std::string& run, bool clip_norm, std::uint64_t seed) {
    const std::string instruction = text_of(edit_, "instruction");
    const EncodedPrompts texts =
        encode({{text_of(edit_, "negative")}, {instruction}, {target_description(instruction).value_or(instruction)}});
    const auto text = [&](std::int64_t i) { return slice(texts.conditioning, i, 1); };
    const at::Tensor source = to_tensor(read_picture(folder_ / "edit_source.png")) * 2 - 1;
    const at::Tensor source_latents = autoencoder_->to_model(autoencoder_->encode(source).mean_BCHW);
    std::vector<at::Tensor> latents;
    Sampler sampler(scheduler(run, "", ""), [](at::IntArrayRef shape) { return at::randn(shape); },
                    {nullptr, [&](const StepView& view) { latents.push_back(view.latents.clone()); }});
    const auto guidance = case_.at("guidance").at(run).get<std::vector<double>>();
    at::Tensor x = at::randn(source_latents.sizes(), at::detail::createCPUGenerator(seed));
    const bool refined = run == "edit_refine";
    std::optional<Dit> editor;
    if (refined) editor.emplace(load_dit((folder_ / "edit_transformer").string()));
    Dit& first = refined ? *editor : *base_;
    first.max_seq = edit_tokens(first);
    base_->max_seq = first.max_seq;
    const std::size_t change = refined ? refine_step(sampler.steps(), kRefine) : sampler.steps();
    ASSERT_TRUE(sampler.run(x, 0, change,
                            edit_velocity(first, {text(1), text(0)}, source_latents,
                                          {guidance[0], guidance[1], clip_norm}, sampler.timesteps())));
    ASSERT_TRUE(sampler.run(x, change, sampler.steps(),
                            guided_velocity(*base_, {text(2), text(0)}, guidance[0], sampler.timesteps())));
    expect_run(run, latents);
  }

  fs::path folder_;
  Json case_, edit_;
  std::optional<tensor::SafeTensors> reference_;
  std::optional<Dit> base_;
  std::optional<Autoencoder> autoencoder_;
  c10::NoGradGuard no_grad_;
};

/// The same through settings, as the program makes them: a seed gives the reference's picture.
class ProgramReference : public PipelineReference {
 protected:
  spec::Picture settings(const std::string& run) const {
    spec::Picture p;
    p.model = (folder_ / "model").string();
    p.llama = (folder_ / "llama").string();
    p.max_tokens = case_.at("max_sequence_length").get<std::int64_t>();
    p.steps = reference(run + ".latents").size(0);
    p.height = reference(run + ".image").size(2);
    p.width = reference(run + ".image").size(3);
    return p;
  }

  /// How far the picture is from the reference's, of 255.
  at::Tensor distance(const spec::Picture& p, const std::string& run, const RunOptions& options = {}) const {
    const at::Tensor made = to_tensor(make_pictures(resolve(p), 1, options, {}).pictures.at(0)) * 255;
    return (made - (reference(run + ".image") * 255).round()).abs();
  }

  void expect_picture(const spec::Picture& p, const std::string& run, const RunOptions& options = {}) const {
    EXPECT_GE(distance(p, run, options).le(1.01).to(at::kFloat).mean().item<double>(), kSamePixels) << run;
  }

  spec::Picture text_settings(const std::string& run, const std::string& scheduler) const {
    spec::Picture p = settings(run);
    p.prompt = text_of(case_, "prompt");
    p.negative = text_of(case_, "negative_prompt");
    p.guidance = case_.at("guidance").at(run).get<double>();
    p.scheduler = scheduler;
    p.seed = case_.at("generator_seed_for_runs").get<std::int64_t>();
    return p;
  }

  void generate(const std::string& run, const std::string& scheduler) const {
    expect_picture(text_settings(run, scheduler), run);
  }

  void edit(const std::string& run, bool clip_norm, const char* seed) const {
    spec::Picture p = settings(run);
    p.task = "edit";
    p.input = (folder_ / "edit_source.png").string();
    p.prompt = text_of(edit_, "instruction");
    p.negative = text_of(edit_, "negative");
    p.guidance = case_.at("guidance").at(run)[0].get<double>();
    p.image_guidance = case_.at("guidance").at(run)[1].get<double>();
    p.clip_norm = clip_norm;
    p.seed = case_.at(seed).get<std::int64_t>();
    if (run == "edit_refine") p.edit_transformer = (folder_ / "edit_transformer").string();
    p.refine = run == "edit_refine" ? kRefine : 0.0;
    expect_picture(p, run);
  }
};

TEST_F(ProgramReference, Generate) {
  generate("euler", "euler");
  generate("euler_wide", "euler");
  generate("unipc", "unipc");
  generate("flow_unipc", "flow-unipc");
}

TEST_F(ProgramReference, OnAGpu) {
  const std::vector<std::string> devices = tensor::device_names();
  if (std::find(devices.begin(), devices.end(), "cuda:0") == devices.end()) GTEST_SKIP() << "no GPU here";
  const at::Device gpu = tensor::parse_device("cuda");
  spec::Picture p = text_settings("unipc", "unipc");
  p.dtype = "float32";
  expect_picture(p, "unipc", {.device = gpu});
  // In bfloat16 a router may choose otherwise where two experts are near: the picture is near in the mean.
  constexpr double kHalfPrecision = 12;
  p.dtype = "bfloat16";
  const double mean = distance(p, "unipc", {.device = gpu}).mean().item<double>();
  EXPECT_LE(mean, kHalfPrecision);
  RecordProperty("bfloat16_mean_difference_of_255", std::to_string(mean));
}

TEST_F(ProgramReference, Edit) {
  edit("edit_clip", true, "edit_generator_seed");
  edit("edit", false, "edit_generator_seed");
  edit("edit_refine", true, "edit_refine_generator_seed");
}

TEST_F(PipelineReference, Euler) { text_to_image("euler", "euler"); }
TEST_F(PipelineReference, EulerWide) { text_to_image("euler_wide", "euler"); }
TEST_F(PipelineReference, UniPc) { text_to_image("unipc", "unipc"); }
TEST_F(PipelineReference, FlowUniPc) { text_to_image("flow_unipc", "flow-unipc"); }
TEST_F(PipelineReference, LcmDev) { text_to_image("lcm_dev", "lcm", "dev"); }
TEST_F(PipelineReference, LcmFast) { text_to_image("lcm_fast", "lcm", "fast"); }
TEST_F(PipelineReference, Flash) { text_to_image("flash", "flash", "dev"); }
TEST_F(PipelineReference, EditClip) { edit("edit_clip", true, seed_of(case_, "edit_generator_seed")); }
TEST_F(PipelineReference, Edit) { edit("edit", false, seed_of(case_, "edit_generator_seed")); }
TEST_F(PipelineReference, EditRefine) { edit("edit_refine", true, seed_of(case_, "edit_refine_generator_seed")); }

}  // namespace
}  // namespace filigree::image
