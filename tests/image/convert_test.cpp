#include "image/convert.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/json.h"
#include "image/memory_plan.h"
#include "image/random_weights.h"
#include "small_dit.h"
#include "support/expect_error.h"
#include "tensor/folder.h"

namespace filigree::image {
namespace {

class Convert : public test::FolderTest {
 protected:
  std::string file(const std::string& name) const { return (folder / name).string(); }

  std::shared_ptr<const tensor::WeightSource> random() const {
    return random_source(dit_random_tensors(test::small_dit_config()), 7);
  }

  static at::Tensor read(const tensor::WeightSource& source, const std::string& name) {
    at::Tensor out = at::empty(source.shape(name));
    source.read(name, out);
    return out;
  }
};

TEST_F(Convert, EveryFormIsNearTheOriginal) {
  const auto original = random();
  for (const auto& [form, share] : {std::pair{WeightForm::float32, 0.0},
                                    {WeightForm::bfloat16, 1.0 / 256},
                                    {WeightForm::float16, 1.0 / 1024},
                                    {WeightForm::q8, 1.0 / 254 + 1.0 / 512},
                                    {WeightForm::q4, 1.0 / 14 + 1.0 / 512}}) {
    ConvertOptions options;
    options.form = form;
    options.metadata = {{"made_by", "a test"}};
    const Converted converted = convert_weights(*original, file("w.safetensors"), options);
    EXPECT_TRUE(converted.complete);
    EXPECT_EQ(converted.tensors, static_cast<std::int64_t>(original->names().size()));
    EXPECT_EQ(converted.packed > 0, form == WeightForm::q8 || form == WeightForm::q4);
    EXPECT_EQ(static_cast<std::uintmax_t>(converted.bytes), std::filesystem::file_size(file("w.safetensors")));
    EXPECT_EQ(tensor::SafeTensors::open(file("w.safetensors")).metadata().at("made_by"), "a test");
    const auto back = tensor::open_weights(file("w.safetensors"));
    EXPECT_EQ(back->names().size(), original->names().size());
    for (const std::string& name : original->names()) {
      const at::Tensor before = read(*original, name);
      const double bound = share * before.abs().max().item<double>();
      EXPECT_LE(test::largest_difference(read(*back, name), before), bound + 1e-7) << name << " " << enum_name(form);
    }
  }
}

TEST_F(Convert, PackedTransformersRunWithinAStatedError) {
  write_file(folder / "config.json", to_text(to_json(test::small_dit_config())));
  convert_weights(*random(), file("exact.safetensors"), {.form = WeightForm::float32});
  const at::Tensor exact = test::small_output(load_dit(file("exact.safetensors")));
  // 4 bits leave a rounding error of about a twentieth of a weight's size, 8 bits of a four-hundredth; outputs of this
  // small network follow in about that proportion, unless a token changes its expert.
  for (const auto& [form, bound] : {std::pair{WeightForm::q8, 0.05}, {WeightForm::q4, 0.5}}) {
    ConvertOptions options;
    options.form = form;
    convert_weights(*random(), file("packed.safetensors"), options);
    DitLoading streamed;
    streamed.stream = true;
    const at::Tensor out = test::small_output(load_dit(file("packed.safetensors"), streamed));
    const double error = ((out - exact).norm() / exact.norm()).item<double>();
    EXPECT_LE(error, bound) << enum_name(form);
    EXPECT_GT(error, 0);
    EXPECT_LE(test::largest_difference(test::small_output(load_dit(file("packed.safetensors"))), out), 1e-6);
    RecordProperty(std::string(enum_name(form)), std::to_string(error));
  }
}

TEST_F(Convert, RandomNumbersAreTheSameInPiecesAndHaveTheirSpread) {
  const auto source = random_source({{"a.weight", {300, 64}}, {"b.weight", {64}}, {"a.bias", {64}}}, 1);
  const at::Tensor a = read(*source, "a.weight");
  EXPECT_TRUE(at::equal(read(*source, "a.weight"), a));
  at::Tensor half = at::empty({300, 64}, at::kBFloat16);
  source->read("a.weight", half);
  EXPECT_TRUE(at::equal(half, a.to(at::kBFloat16)));
  EXPECT_NEAR(a.mean().item<double>(), 0, 0.005);
  EXPECT_NEAR(a.std().item<double>(), 0.125, 0.005) << "1 / sqrt(64)";
  EXPECT_NEAR(read(*source, "b.weight").mean().item<double>(), 1, 0.02);
  EXPECT_NEAR(read(*source, "a.bias").mean().item<double>(), 0, 0.02);
  const auto other = random_source({{"a.weight", {300, 64}}}, 2);
  EXPECT_FALSE(at::equal(read(*other, "a.weight"), a));
}

TEST_F(Convert, CancelledLeavesNoFile) {
  request_cancel();
  const Converted converted = convert_weights(*random(), file("w.safetensors"), {});
  reset_cancel();
  EXPECT_FALSE(converted.complete);
  EXPECT_TRUE(files().empty());
}

TEST_F(Convert, WhatCannotBePackedIsOneSentenceAndNoFile) {
  at::Tensor w = at::ones({64, 64});
  w[3][4] = std::numeric_limits<float>::infinity();
  tensor::save(file("w.safetensors"), {{"w", w}});
  ConvertOptions options;
  options.form = WeightForm::q4;
  EXPECT_ERROR(convert_weights(*tensor::open_weights(file("w.safetensors")), file("out.safetensors"), options),
               file("w.safetensors") + ": tensor 'w': a weight is inf, which cannot be packed");
  EXPECT_EQ(files(), (std::set<std::string>{"w.safetensors"}));
}

TEST_F(Convert, ThePlanSaysWhatIsHeldWhere) {
  ConvertOptions options;
  options.form = WeightForm::q4;
  convert_weights(*random(), file("q4.safetensors"), options);
  convert_weights(*random(), file("exact.safetensors"), {.form = WeightForm::float32});
  Dit dit = test::small_dit();
  const std::int64_t numbers = nn::count_numbers(dit.parameters());
  PlannedPart part{"transformer", file("exact.safetensors")};
  part.working_bytes = 1000;
  MemoryPlan plan = plan_memory({part});
  EXPECT_EQ(plan.rows[0].numbers, numbers);
  EXPECT_EQ(plan.rows[0].held_bytes, 4 * numbers);
  EXPECT_EQ(plan.rows[0].stored, "F32");
  EXPECT_EQ(plan.peak("cpu"), 4 * numbers + 1000);
  EXPECT_EQ(plan.peak("cuda:0"), 0);
  // One block of each kind without its modulation, and what is outside, in bfloat16.
  part.path = file("q4.safetensors");
  part.holding = Holding::layer_by_layer;
  part.dtype = at::kBFloat16;
  std::int64_t not_held = 0;
  for (const nn::Parameter& parameter : dit.parameters()) {
    const bool modulation = parameter.name.find("block.adaLN_modulation") != std::string::npos;
    if (modulation || parameter.name.starts_with("single_stream_blocks.0.")) not_held += parameter.value().numel();
  }
  plan = plan_memory({part});
  EXPECT_EQ(plan.rows[0].held_bytes, 2 * (numbers - not_held));
  EXPECT_EQ(plan.rows[0].stored, "q4");
  EXPECT_LT(plan.rows[0].file_bytes, numbers);
  // Parts of other phases are not held at the same time.
  PlannedPart first = part, second = part;
  second.phase = 1;
  EXPECT_EQ(plan_memory({first, second}).peak("cpu"), plan.peak("cpu"));
  EXPECT_EQ(plan_memory({first, first}).peak("cpu"), 2 * plan.peak("cpu"));
  const std::string text = plan.table().text();
  EXPECT_NE(text.find("layer by layer"), std::string::npos) << text;
  EXPECT_NE(text.find("most at a time"), std::string::npos) << text;
  EXPECT_EQ(bytes_text(34'211'466'368), "34.2 GB");
}

}  // namespace
}  // namespace filigree::image
