#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include <gtest/gtest.h>

#include "base/csv.h"
#include "spec/check.h"
#include "spec/count.h"
#include "spec/hf_config.h"
#include "spec/layout_text.h"
#include "support/paths.h"

/// Counts against checkpoints that other implementations wrote, and layouts against those that people ran.
namespace filigree::spec {
namespace {

using Shapes = std::map<std::string, std::vector<std::int64_t>>;

/// Names and shapes of a safetensors file: eight bytes of length (little-endian), then JSON.
void read_shapes(const std::filesystem::path& path, Shapes& shapes) {
  std::ifstream in(path, std::ios::binary);
  std::array<char, 8> bytes{};
  ASSERT_TRUE(in.read(bytes.data(), 8)) << path;
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  ASSERT_LT(length, std::filesystem::file_size(path)) << path;
  std::string text(length, '\0');
  ASSERT_TRUE(in.read(text.data(), static_cast<std::streamsize>(length))) << path;
  const Json header = parse_json(text, path.string());
  for (const auto& [name, tensor] : header.items()) {
    if (name == "__metadata__") continue;
    EXPECT_TRUE(shapes.emplace(name, tensor["shape"].get<std::vector<std::int64_t>>()).second) << name;
  }
}

/// All tensors of a checkpoint: its shards, or the one file.
Shapes read_checkpoint(const std::filesystem::path& folder) {
  Shapes shapes;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool is_weights = name.starts_with("model") || name.starts_with("diffusion_pytorch_model");
    if (is_weights && entry.path().extension() == ".safetensors") read_shapes(entry.path(), shapes);
  }
  return shapes;
}

std::int64_t size_of(const std::vector<std::int64_t>& shape) { return TensorInfo{"", shape}.size(); }

class SpecReference : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = test::reference_dir();
    if (!std::filesystem::is_directory(root_)) GTEST_SKIP() << "no reference folder at " << root_.string();
  }

  std::filesystem::path root_;
};

TEST_F(SpecReference, PanguParametersAreThoseOfTheCheckpoint) {
  const Model model = load_language_model((root_ / "pangu").string());
  std::int64_t main = 0, mtp = 0, copies = 0;
  for (const auto& [name, shape] : read_checkpoint(root_ / "pangu")) {
    std::int64_t layer = -1;
    if (name.starts_with("model.layers.")) layer = std::stoll(name.substr(std::strlen("model.layers.")));
    // The module for multi-token prediction stores copies of the embedding and the head.
    const bool is_copy =
        layer >= model.layers && (name.ends_with("embed_tokens.weight") || name.ends_with("head.weight"));
    (is_copy ? copies : layer >= model.layers ? mtp : main) += size_of(shape);
  }
  const Count counted = count(model);
  EXPECT_EQ(counted.total, main);
  EXPECT_EQ(counted.mtp, mtp);
  EXPECT_EQ(copies, model.mtp_layers * 2 * model.vocabulary * model.hidden);
}

TEST_F(SpecReference, PanguLayersAreThoseOfTheCheckpoint) {
  const Model model = load_language_model((root_ / "pangu").string());
  std::map<std::int64_t, LayerCount> stored;
  for (const auto& [name, shape] : read_checkpoint(root_ / "pangu")) {
    if (!name.starts_with("model.layers.")) continue;
    LayerCount& layer = stored[std::stoll(name.substr(std::strlen("model.layers.")))];
    const auto has = [&n = name](std::string_view part) { return n.find(part) != std::string::npos; };
    std::int64_t& part = has("self_attn")              ? layer.attention
                         : has(".experts.")            ? layer.experts
                         : has("shared_experts")       ? layer.shared
                         : has("mlp.gate.")            ? layer.router
                         : has("mlp.") && !has("_mlp") ? layer.dense
                                                       : layer.norms;
    part += size_of(shape);
  }
  const std::vector<LayerKind> kinds = layer_kinds(model);
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const LayerCount counted = count_layer(model, kinds[static_cast<std::size_t>(i)]);
    EXPECT_EQ(counted.attention, stored[i].attention) << i;
    EXPECT_EQ(counted.norms, stored[i].norms) << i;
    EXPECT_EQ(counted.dense, stored[i].dense) << i;
    EXPECT_EQ(counted.router, stored[i].router) << i;
    EXPECT_EQ(counted.shared, stored[i].shared) << i;
    EXPECT_EQ(counted.experts, stored[i].experts) << i;
  }
}

TEST_F(SpecReference, HiDreamTensorsAreThoseOfTheCheckpoint) {
  for (const char* folder : {"hidream/model/transformer", "hidream/edit_transformer"}) {
    const Dit dit = std::get<Dit>(load_model((root_ / folder).string()));
    Shapes expected;
    for (const TensorInfo& tensor : dit_tensors(dit)) expected[tensor.name] = tensor.shape;
    const Shapes stored = read_checkpoint(root_ / folder);
    EXPECT_EQ(expected, stored) << folder;
    std::int64_t total = 0;
    for (const auto& [name, shape] : stored) total += size_of(shape);
    EXPECT_EQ(count(dit).total, total) << folder;
  }
}

TEST_F(SpecReference, MeasuredLayoutsCanExist) {
  const Csv csv = read_csv(root_ / "planner" / "h100_clusters.csv");
  ASSERT_GT(csv.num_rows(), 0U);
  for (std::size_t row = 0; row < csv.num_rows(); ++row) {
    const auto degree = [&csv, row](const char* name) { return csv.optional_number(row, name).value_or(1); };
    const std::string text =
        fmt::format("devices={},tp={},pp={},vpp={},cp={},ep={},mbs={},gbs={},seq={}", csv.integer(row, "gpus"),
                    degree("tp"), degree("pp"), degree("vpp"), degree("cp"), degree("ep"),
                    csv.integer(row, "micro_batch"), csv.integer(row, "global_batch"), csv.integer(row, "seq_len"));
    EXPECT_NO_THROW(check(parse_layout(text), load_language_model(csv.text(row, "model"))))
        << csv.text(row, "model") << " " << text;
  }
}

}  // namespace
}  // namespace filigree::spec
