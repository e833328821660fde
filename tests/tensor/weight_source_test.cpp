#include "tensor/weight_source.h"

#include <fstream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "folder.h"
#include "gguf_bytes.h"
#include "support/expect_error.h"
#include "tensor/packed.h"

namespace filigree::tensor {
namespace {

class WeightSourceTest : public test::FolderTest {
 protected:
  std::string file(const std::string& name) const { return (folder / name).string(); }

  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(file(name), std::ios::binary) << bytes;
  }

  at::Tensor read(const WeightSource& source, const std::string& name, at::ScalarType dtype = at::kFloat) const {
    at::Tensor out = at::empty(source.shape(name), dtype);
    source.read(name, out);
    return out;
  }
};

TEST_F(WeightSourceTest, PlainSafetensors) {
  const at::Tensor w = at::arange(6, at::kFloat).view({2, 3}), b = at::arange(2, at::kFloat).to(at::kBFloat16);
  save(file("a.safetensors"), {{"w", w}, {"b", b}, {"n", at::arange(3)}});
  const auto source = open_weights(file("a.safetensors"));
  EXPECT_EQ(source->names().size(), 3U);
  EXPECT_EQ(source->shape("w"), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(source->stored_as("b"), "BF16");
  EXPECT_EQ(source->bytes("b"), 4);
  EXPECT_TRUE(at::equal(read(*source, "w"), w));
  EXPECT_TRUE(at::equal(read(*source, "w", at::kBFloat16), w.to(at::kBFloat16)));
  EXPECT_TRUE(at::equal(read(*source, "b"), b.to(at::kFloat)));
  source->announce({"w", "b"});
  EXPECT_TRUE(at::equal(read(*source, "w"), w)) << "again, after its pages were given back";
  at::Tensor integers = at::empty({3});
  EXPECT_ERROR(source->read("n", integers),
               file("a.safetensors") + ": tensor 'n' is of I64, expected floating-point numbers");
  EXPECT_ERROR(source->read("weight", integers), file("a.safetensors") + ": holds no tensor 'weight'");
}

TEST_F(WeightSourceTest, Float8WithAScale) {
  // 0x38 is 1, 0xC0 is -2, 0x7E is 448 (e4m3).
  const at::Tensor bytes = at::tensor({0x38, 0xC0, 0x7E, 0x00}, at::kByte).view({2, 2});
  const at::Tensor scale = at::full({}, 0.5F);
  save(file("a.safetensors"),
       {{"l.weight", bytes},
        {"l.scale_weight", scale},
        {"l.scale_input", scale},
        {"m.weight", bytes},
        {"scaled_fp8", at::empty({0}, at::kByte)},
        {"x.scale_weight", scale}},
       {.float8 = {{"l.weight", Float8::e4m3}, {"m.weight", Float8::e4m3}}});
  const auto source = open_weights(file("a.safetensors"));
  EXPECT_EQ(source->names().size(), 3U) << "the scales of l are no weights; that of x, which has none, is";
  EXPECT_TRUE(at::equal(read(*source, "l.weight"), at::tensor({0.5F, -1.0F, 224.0F, 0.0F}).view({2, 2})));
  EXPECT_TRUE(at::equal(read(*source, "m.weight"), at::tensor({1.0F, -2.0F, 448.0F, 0.0F}).view({2, 2})));
  save(file("b.safetensors"), {{"l.weight", bytes}, {"l.scale_weight", at::ones({2})}},
       {.float8 = {{"l.weight", Float8::e4m3}}});
  EXPECT_ERROR(read(*open_weights(file("b.safetensors")), "l.weight"),
               file("b.safetensors") +
                   ": tensor 'l.scale_weight' has 2 numbers, expected one scale for the whole of "
                   "'l.weight'");
}

TEST_F(WeightSourceTest, Packed) {
  const std::int64_t rows = 5, numbers = 48;
  const at::Tensor w = at::linspace(-1, 2, rows * numbers).view({rows, numbers});
  at::Tensor bytes = at::empty({rows, numbers / 2}, at::kByte), scales = at::empty({rows, 2}, at::kHalf);
  for (std::int64_t r = 0; r < rows; ++r) {
    pack_row(Packing::q4, w[r].data_ptr<float>(), numbers, static_cast<char*>(bytes[r].data_ptr()),
             static_cast<std::uint16_t*>(scales[r].data_ptr()));
  }
  save(file("a.safetensors"), {{"w.q4", bytes}, {"w.q4_scale", scales}});
  const auto source = open_weights(file("a.safetensors"));
  EXPECT_EQ(source->names(), (std::vector<std::string>{"w"}));
  EXPECT_EQ(source->shape("w"), (std::vector<std::int64_t>{rows, numbers}));
  EXPECT_EQ(source->stored_as("w"), "q4");
  EXPECT_EQ(source->bytes("w"), rows * (numbers / 2 + 4));
  EXPECT_LE((read(*source, "w") - w).abs().max().item<double>(), 2.0 / 14 + 2.0 / 1024);
  save(file("b.safetensors"), {{"w.q4", bytes}});
  EXPECT_ERROR(open_weights(file("b.safetensors")),
               file("b.safetensors") +
                   ": tensor 'w.q4' is not packed as it must be: U8 of whole numbers with "
                   "'w.q4_scale' in F16");
}

TEST_F(WeightSourceTest, Gguf) {
  test::GgufBytes plain, small;
  for (int i = 0; i < 6; ++i) plain.number(static_cast<float>(i));
  for (int row = 0; row < 4; ++row) {
    small.number(std::uint16_t{0x3800});
    for (int i = 0; i < 32; ++i) small.number(static_cast<signed char>(i - row));
  }
  write("a.gguf", test::gguf_file({{"p", {3, 2}, 0, plain.bytes()}, {"q", {64, 2}, 8, small.bytes()}}));
  const auto source = open_weights(file("a.gguf"));
  EXPECT_EQ(source->shape("q"), (std::vector<std::int64_t>{2, 64}));
  EXPECT_EQ(source->stored_as("q"), "Q8_0");
  EXPECT_EQ(source->bytes("q"), 4 * 34);
  EXPECT_TRUE(at::equal(read(*source, "p"), at::arange(6, at::kFloat).view({2, 3})));
  const at::Tensor expected = (at::arange(32, at::kFloat).unsqueeze(0) - at::arange(4, at::kFloat).unsqueeze(1)) / 2;
  EXPECT_TRUE(at::equal(read(*source, "q"), expected.view({2, 64})));
  EXPECT_TRUE(at::equal(read(*source, "q", at::kBFloat16), expected.view({2, 64}).to(at::kBFloat16)));
  EXPECT_EQ(open_weights(folder)->names(), source->names()) << "the only one in its folder";
  // Into a tensor that is not contiguous.
  const at::Tensor turned = at::empty({64, 2}).t();
  source->announce({"q"});
  source->read("q", turned);
  EXPECT_TRUE(at::equal(turned, expected.view({2, 64})));
  EXPECT_ERROR(source->shape("other"), file("a.gguf") + ": holds no tensor 'other'");
}

TEST_F(WeightSourceTest, PrefixesAndMismatches) {
  save(file("a.safetensors"),
       {{"model.w", at::ones({2, 3})}, {"model.extra", at::ones({1})}, {"other", at::ones({1})}});
  const auto source = without_prefix(open_weights(file("a.safetensors")), "model.");
  EXPECT_EQ(source->names().size(), 2U);
  EXPECT_TRUE(source->has("w") && !source->has("other"));
  EXPECT_EQ(source->stored_as("w"), "F32");
  EXPECT_EQ(source->bytes("w"), 24);
  source->announce({"w"});
  at::Tensor w = at::zeros({2, 3}), other = at::zeros({3});
  read_into({{"w", w}}, *source, true);
  EXPECT_TRUE(at::equal(w, at::ones({2, 3})));
  w.zero_();
  EXPECT_ERROR(read_into({{"w", w.t()}, {"v", other}}, *source),
               file("a.safetensors") +
                   ": its tensors are not those of the model, so nothing was loaded; 1 missing: v; "
                   "1 unexpected: extra; 1 of another shape: w has [2, 3], expected [3, 2]");
  EXPECT_EQ(w.sum().item<double>(), 0);
  EXPECT_ERROR(check_shapes({{"w", {2, 3}}}, *source),
               file("a.safetensors") +
                   ": its tensors are not those of the model, so nothing was loaded; 1 unexpected: "
                   "extra");
}

/// Products with matrices that stay in the file: as with the whole matrix, for every kind; and packed ones within the bound
/// that the format states, Σ |x_i| · (m / 14 + m / 1024) with m the largest weight.
TEST_F(WeightSourceTest, StreamedProducts) {
  const std::int64_t outputs = 70, inputs = 64;
  at::manual_seed(3);
  const at::Tensor w = at::randn({outputs, inputs}), b = at::randn({outputs}), x = at::randn({2, 3, inputs});
  at::Tensor bytes = at::empty({outputs, inputs / 2}, at::kByte), scales = at::empty({outputs, 2}, at::kHalf);
  at::Tensor whole = at::empty({outputs, inputs}, at::kChar), whole_scales = at::empty({outputs, 2}, at::kHalf);
  for (std::int64_t r = 0; r < outputs; ++r) {
    pack_row(Packing::q4, w[r].data_ptr<float>(), inputs, static_cast<char*>(bytes[r].data_ptr()),
             static_cast<std::uint16_t*>(scales[r].data_ptr()));
    pack_row(Packing::q8, w[r].data_ptr<float>(), inputs, static_cast<char*>(whole[r].data_ptr()),
             static_cast<std::uint16_t*>(whole_scales[r].data_ptr()));
  }
  const at::Tensor float8 = at::arange(outputs * inputs).remainder(100).to(at::kByte).view({outputs, inputs});
  save(file("a.safetensors"),
       {{"plain", w},
        {"half", w.to(at::kHalf)},
        {"four.q4", bytes},
        {"four.q4_scale", scales},
        {"eight.q8", whole},
        {"eight.q8_scale", whole_scales},
        {"f.weight", float8},
        {"f.scale_weight", at::full({}, 0.1F)},
        {"b", b}},
       {.float8 = {{"f.weight", Float8::e4m3}}});
  const auto source = open_weights(file("a.safetensors"));
  for (const char* name : {"plain", "half", "four", "eight", "f.weight"}) {
    const at::Tensor expected = streamed_linear_reference(x, *source, name, "b");
    EXPECT_LE((streamed_linear(x, *source, name, "b") - expected).abs().max().item<double>(), 1e-4) << name;
    EXPECT_LE((streamed_linear(x, *source, name, "") + b - expected).abs().max().item<double>(), 1e-4) << name;
    const at::Tensor some = at::empty({9, inputs});
    source->read_rows(name, 33, 9, some);
    EXPECT_TRUE(at::equal(some, read(*source, name).narrow(0, 33, 9))) << name;
  }
  EXPECT_EQ(streamed_linear(x.to(at::kBFloat16), *source, "plain", "").scalar_type(), at::kBFloat16);
  const at::Tensor exact = at::linear(x, w), largest = x.abs().sum(-1, true) * w.abs().max();
  for (const auto& [name, share] : {std::pair{"four", 1.0 / 14 + 1.0 / 1024}, {"eight", 1.0 / 254 + 1.0 / 1024}}) {
    const at::Tensor error = (streamed_linear(x, *source, name, "") - exact).abs();
    EXPECT_TRUE((error <= largest * share + 1e-5).all().item<bool>()) << name;
    RecordProperty(name, std::to_string((error.norm() / exact.norm()).item<double>()));
  }
}

TEST_F(WeightSourceTest, RowsOfGgufAlsoWhereBlocksCrossThem) {
  test::GgufBytes small;
  for (int row = 0; row < 6; ++row) {
    small.number(std::uint16_t{0x3C00});
    for (int i = 0; i < 32; ++i) small.number(static_cast<signed char>(i + row));
  }
  test::GgufBytes settings;
  settings.text("comfy.gguf.orig_shape.folded").number(std::uint32_t{9}).number(std::uint32_t{5});
  settings.number(std::uint64_t{2}).number(std::int32_t{12}).number(std::int32_t{16});
  write("a.gguf",
        test::gguf_file({{"q", {64, 3}, 8, small.bytes()}, {"folded", {192}, 8, small.bytes()}}, settings.bytes(), 1));
  const auto source = open_weights(file("a.gguf"));
  for (const char* name : {"q", "folded"}) {
    const at::Tensor all = read(*source, name), some = at::empty({1, all.size(1)});
    for (std::int64_t row = 0; row < all.size(0); ++row) {
      source->read_rows(name, row, 1, some);
      EXPECT_TRUE(at::equal(some, all.narrow(0, row, 1))) << name << " " << row;
    }
  }
}

}  // namespace
}  // namespace filigree::tensor
