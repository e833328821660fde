#include "tensor/safetensors.h"

#include <csignal>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "folder.h"
#include "support/expect_error.h"

namespace filigree::tensor {
namespace {

namespace fs = std::filesystem;
using test::identical;
using testing::ElementsAre;

class SafeTensorsTest : public test::FolderTest {
 protected:
  fs::path path(const std::string& name) const { return folder / name; }
};

constexpr std::array<at::ScalarType, 10> kTypes = {at::kBool, at::kByte, at::kChar,     at::kShort, at::kInt,
                                                   at::kLong, at::kHalf, at::kBFloat16, at::kFloat, at::kDouble};

/// Any bytes of that type, NaN and all.
at::Tensor random_tensor(Random& random, at::ScalarType type) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(random.below(4)));
  for (std::int64_t& size : shape) size = static_cast<std::int64_t>(random.below(5));
  const at::Tensor tensor = at::empty(shape, type);
  auto* bytes = static_cast<unsigned char*>(tensor.data_ptr());
  for (std::size_t i = 0; i < tensor.nbytes(); ++i) {
    bytes[i] = static_cast<unsigned char>(random() & (type == at::kBool ? 1u : 0xFFu));
  }
  return tensor;
}

std::string random_name(Random& random) {
  static const std::array<const char*, 12> parts = {"layer", ".",  "0",  "17", "weight", "é",
                                                    "\n",    "\"", "\\", " ",  "/",      "\U0001F600"};
  std::string name;
  for (std::uint64_t i = random.below(6) + 1; i > 0; --i)
    name += parts[static_cast<std::size_t>(random.below(parts.size()))];
  return name;
}

NamedTensors random_tensors(Random& random) {
  std::map<std::string, at::Tensor> tensors;
  for (std::uint64_t i = random.below(12); i > 0; --i) {
    const at::ScalarType type = kTypes[static_cast<std::size_t>(random.below(kTypes.size()))];
    tensors.insert_or_assign(random_name(random), random_tensor(random, type));
  }
  NamedTensors list(tensors.begin(), tensors.end());
  random.shuffle(list);
  return list;
}

std::vector<std::string> names_of(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& entry : tensors) names.push_back(entry.first);
  return names;
}

TEST_F(SafeTensorsTest, ReadsWhatItWrote) {
  Random random(1);
  for (int round = 0; round < 60; ++round) {
    const NamedTensors tensors = random_tensors(random);
    SaveOptions options;
    options.order = random.below(2) == 0 ? Order::standard : Order::given;
    options.metadata = {{"round", std::to_string(round)}};
    options.shard_bytes = 1 + static_cast<std::int64_t>(random.below(300));
    const bool shards = random.below(2) == 0;
    if (shards)
      save_folder(folder, tensors, options);
    else
      save(path("one.safetensors"), tensors, options);
    const SafeTensors file = SafeTensors::open(shards ? folder : path("one.safetensors"));
    EXPECT_EQ(file.metadata(), options.metadata);
    EXPECT_EQ(file.names().size(), tensors.size());
    if (!shards && options.order == Order::given &&
        std::none_of(tensors.begin(), tensors.end(), [](const auto& entry) { return entry.second.numel() == 0; })) {
      EXPECT_EQ(file.names(), names_of(tensors));
    }
    for (const auto& [name, tensor] : tensors) {
      EXPECT_TRUE(file.has(name));
      EXPECT_TRUE(identical(file.get(name), tensor)) << name;
      EXPECT_EQ(file.info(name).shape, tensor.sizes().vec());
    }
    for (const std::string& name : files()) EXPECT_EQ(name.find(".part"), std::string::npos);
  }
}

TEST_F(SafeTensorsTest, WritesWhatTheFormatSays) {
  save(path("x"),
       {{"b", at::ones({2}, at::kByte)}, {"a", at::ones({1}, at::kFloat)}, {"c", at::zeros({}, at::kFloat)}});
  const std::string json =
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"c":{"dtype":"F32","shape":[],"data_offsets":[4,8]},)"
      R"("b":{"dtype":"U8","shape":[2],"data_offsets":[8,10]}})";
  const std::string padded = json + std::string((8 - json.size() % 8) % 8, ' ');
  const std::string head{static_cast<char>(padded.size()), 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(read_file(path("x")), head + padded + std::string("\0\0\x80\x3F\0\0\0\0\1\1", 10));
}

TEST_F(SafeTensorsTest, WritesTensorsThatAreNotContiguous) {
  const at::Tensor wide = at::arange(24, at::kFloat).view({4, 6});
  const at::Tensor needs = at::ones({2}, at::kFloat).requires_grad_(true);
  save(path("x"), {{"t", wide.t()}, {"s", wide.slice(1, 1, 6, 2)}, {"e", at::ones({1}).expand({3})}, {"g", needs}});
  const SafeTensors file = SafeTensors::open(path("x"));
  EXPECT_TRUE(identical(file.get("t"), wide.t()));
  EXPECT_TRUE(identical(file.get("s"), wide.slice(1, 1, 6, 2)));
  EXPECT_TRUE(identical(file.get("e"), at::ones({3})));
  EXPECT_TRUE(identical(file.get("g"), at::ones({2})));
}

TEST_F(SafeTensorsTest, CopiesNothingWhereItNeedNot) {
  save(path("x"), {{"a", at::arange(6, at::kFloat)}, {"b", at::ones({3}, at::kByte)}});
  at::Tensor a, again;
  {
    const SafeTensors file = SafeTensors::open(path("x"));
    a = file.get("a");
    again = file.get("a");
    EXPECT_EQ(a.data_ptr(), again.data_ptr());
    EXPECT_EQ(file.get("a", at::kFloat).data_ptr(), a.data_ptr());
  }
  // The mapping outlives the SafeTensors and the file's name; writing changes the memory alone.
  const std::string before = read_file(path("x"));
  a.add_(1);
  EXPECT_TRUE(identical(again, at::arange(1, 7, at::kFloat)));
  EXPECT_EQ(read_file(path("x")), before);
  fs::remove(path("x"));
  EXPECT_TRUE(identical(a, at::arange(1, 7, at::kFloat)));
}

TEST_F(SafeTensorsTest, CopiesWhatIsNotAligned) {
  save(path("x"), {{"a", at::ones({3}, at::kByte)}, {"b", at::arange(4, at::kDouble)}}, {.order = Order::given});
  const SafeTensors file = SafeTensors::open(path("x"));
  EXPECT_EQ(file.info("b").begin, 3u);
  EXPECT_TRUE(identical(file.get("b"), at::arange(4, at::kDouble)));
  EXPECT_NE(file.get("b").data_ptr(), file.get("b").data_ptr());
}

TEST_F(SafeTensorsTest, ConvertsTypes) {
  at::Tensor bytes = at::arange(256, at::kByte).view({16, 16});
  save(path("x"), {{"e4m3", bytes}, {"e5m2", bytes}, {"h", at::arange(3, at::kHalf)}},
       {.float8 = {{"e4m3", Float8::e4m3}, {"e5m2", Float8::e5m2}}});
  const SafeTensors file = SafeTensors::open(path("x"));
  EXPECT_EQ(file.info("e4m3").type, StoredType::f8_e4m3);
  EXPECT_EQ(file.info("e5m2").type, StoredType::f8_e5m2);
  EXPECT_TRUE(identical(file.get("e4m3"), bytes));
  EXPECT_TRUE(identical(file.get("e4m3", at::kFloat), float8_to_float32(bytes, Float8::e4m3)));
  EXPECT_TRUE(identical(file.get("e5m2", at::kBFloat16), float8_to_float32(bytes, Float8::e5m2).to(at::kBFloat16)));
  EXPECT_TRUE(identical(file.get("h", at::kDouble), at::arange(3, at::kDouble)));
}

TEST_F(SafeTensorsTest, DividesIntoShards) {
  const NamedTensors tensors = {
      {"a", at::ones({4})}, {"b", at::ones({4})}, {"c", at::ones({100})}, {"d", at::ones({1})}};
  save_folder(folder, tensors, {.shard_bytes = 32});
  EXPECT_THAT(files(), ElementsAre("model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                                   "model-00003-of-00003.safetensors", "model.safetensors.index.json"));
  const Json index = load_json(path("model.safetensors.index.json"));
  EXPECT_EQ(index["metadata"]["total_size"], 436);
  EXPECT_EQ(index["weight_map"]["b"], "model-00001-of-00003.safetensors");
  EXPECT_EQ(index["weight_map"]["c"], "model-00002-of-00003.safetensors");
  EXPECT_EQ(SafeTensors::open(path("model.safetensors.index.json")).names(), names_of(tensors));
  // Another checkpoint in its place leaves nothing of the old one, and touches nothing else.
  write_file(path("config.json"), "{}");
  save_folder(folder, tensors, {.shard_bytes = 404});
  EXPECT_THAT(files(), ElementsAre("config.json", "model-00001-of-00002.safetensors",
                                   "model-00002-of-00002.safetensors", "model.safetensors.index.json"));
  save_folder(folder, tensors);
  EXPECT_THAT(files(), ElementsAre("config.json", "model.safetensors"));
  EXPECT_EQ(SafeTensors::open(folder).names(), names_of(tensors));
  save_folder(folder, tensors, {.shard_bytes = 404});
  EXPECT_EQ(files().count("model.safetensors"), 0u);
  EXPECT_EQ(SafeTensors::open(folder).names(), names_of(tensors));
}

TEST_F(SafeTensorsTest, FindsTheFileInAFolder) {
  EXPECT_ERROR(SafeTensors::open(folder), folder.string() +
                                              ": holds no safetensors file and no index of one "
                                              "(model.safetensors, model.safetensors.index.json)");
  save(path("other.safetensors"), {{"other", at::ones({1})}});
  EXPECT_THAT(SafeTensors::open(folder).names(), ElementsAre("other"));
  save(path("third.safetensors"), {});
  EXPECT_ERROR(SafeTensors::open(folder),
               folder.string() +
                   ": holds 2 files that end with .safetensors and none is called 'model.safetensors', and "
                   "no index; name the one to open");
  write_file(path("other.safetensors.index.json"), R"({"weight_map":{}})");
  EXPECT_EQ(SafeTensors::open(folder).path(), path("other.safetensors.index.json"));
  write_file(path("third.safetensors.index.json"), R"({"weight_map":{}})");
  EXPECT_ERROR(SafeTensors::open(folder),
               folder.string() +
                   ": holds 2 files that end with .safetensors.index.json and none is called "
                   "'model.safetensors.index.json'; name the one to open");
  save(path("diffusion_pytorch_model.safetensors"), {{"d", at::ones({1})}});
  EXPECT_THAT(SafeTensors::open(folder).names(), ElementsAre("d"));
  save(path("model.safetensors"), {{"m", at::ones({1})}});
  EXPECT_THAT(SafeTensors::open(folder).names(), ElementsAre("m"));
}

TEST_F(SafeTensorsTest, NamesFilesThatCannotBeRead) {
  EXPECT_ERROR(SafeTensors::open(path("none")), path("none").string() + ": no such file or folder");
  write_file(path("empty.safetensors"), "");
  EXPECT_ERROR(
      SafeTensors::open(folder),
      path("empty.safetensors").string() +
          ": has 0 bytes, fewer than the 8 that a safetensors file begins with; it is cut short or of another kind");
  EXPECT_ERROR(SafeTensors::open("/dev/null"), "/dev/null: is not a regular file, so it cannot be mapped into memory");
  fs::create_directory(path("model.safetensors"));
  EXPECT_ERROR(SafeTensors::open(folder), path("model.safetensors").string() + ": is a folder, expected a file");
}

TEST_F(SafeTensorsTest, NamesWhatAnIndexSaysWrongly) {
  save(path("one.safetensors"), {{"a", at::ones({1})}});
  const fs::path index = path("model.safetensors.index.json");
  write_file(index, R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  EXPECT_ERROR(SafeTensors::open(folder), index.string() +
                                              ": names the shard 'two.safetensors' for tensor 'b', but there "
                                              "is no such file beside it");
  write_file(index, R"({"weight_map":{"a":"one.safetensors","b":"one.safetensors"}})");
  EXPECT_ERROR(SafeTensors::open(folder),
               index.string() + ": says that tensor 'b' is in 'one.safetensors', but that file does not hold it");
}

TEST_F(SafeTensorsTest, NamesTensorsThatAreNotThere) {
  save(path("x"), {{"weight", at::ones({1})}});
  const SafeTensors file = SafeTensors::open(path("x"));
  EXPECT_FALSE(file.has("wieght"));
  EXPECT_ERROR(file.get("wieght"), path("x").string() + ": holds no tensor 'wieght'; did you mean 'weight'?");
  EXPECT_ERROR(file.info("bias"), path("x").string() + ": holds no tensor 'bias'");
}

TEST_F(SafeTensorsTest, NamesBytesThatAreNoBool) {
  save(path("x"), {{"mask", at::ones({3}, at::kBool)}});
  std::string bytes = read_file(path("x"));
  bytes.back() = 7;
  write_file(path("x"), bytes);
  EXPECT_ERROR(SafeTensors::open(path("x")).get("mask"),
               path("x").string() + ": tensor 'mask' of BOOL holds the byte 7, expected 0 or 1");
}

TEST_F(SafeTensorsTest, RefusesWhatTheFormatCannotHold) {
  const std::string x = path("x").string();
  const at::Tensor one = at::ones({1});
  const std::string rule = "'; a name is UTF-8 text, not empty and not '__metadata__'";
  EXPECT_ERROR(save(x, {{"", one}}), x + ": a tensor cannot be called '" + rule);
  EXPECT_ERROR(save(x, {{"__metadata__", one}}), x + ": a tensor cannot be called '__metadata__" + rule);
  EXPECT_ERROR(save(x, {{"\xFF", one}}), x + ": a tensor cannot be called '(not UTF-8)" + rule);
  EXPECT_ERROR(save(x, {{"a", one}, {"a", one}}), x + ": two tensors are called 'a'");
  EXPECT_ERROR(save(x, {{"a", at::Tensor()}}), x + ": tensor 'a' is undefined");
  EXPECT_ERROR(save(x, {{"a", one.to_sparse()}}), x + ": tensor 'a' is sparse, which safetensors files cannot hold");
  EXPECT_ERROR(save(x, {{"a", one.to(at::kComplexFloat)}}),
               x + ": tensor 'a' is of ComplexFloat, which safetensors files cannot hold");
  EXPECT_ERROR(save(x, {{"a", one}}, {.metadata = {{"k", "\xFF"}}}), x + ": the metadata are not all UTF-8 text");
  EXPECT_ERROR(save(x, {{"a", one}}, {.float8 = {{"a", Float8::e4m3}}}),
               x + ": tensor 'a' is said to hold float8 values, so it must be of bytes (uint8), not Float");
  EXPECT_ERROR(save(x, {{"a", one}}, {.float8 = {{"b", Float8::e4m3}}}),
               x + ": float8 names the tensor 'b', which is not there");
  EXPECT_ERROR(save_folder(folder, {{"a", one}}, {.shard_bytes = 0}),
               folder.string() + ": shard_bytes must be at least 1, got 0");
  EXPECT_TRUE(files().empty());
}

TEST_F(SafeTensorsTest, NamesPlacesThatCannotBeWritten) {
  fs::create_directory(path("x"));
  write_file(path("file"), "");
  EXPECT_ERROR(save(path("x"), {}), path("x").string() + ": is a folder, so no file can be written there");
  EXPECT_ERROR(save(path("file/x"), {}), path("file").string() + ": the folder cannot be made (Not a directory)");
  const std::string name(300, 'n');
  EXPECT_ERROR(save(path(name), {}), path(name).string() + ": cannot be written (File name too long)");
  EXPECT_THAT(files(), ElementsAre("file", "x"));
}

/// A file may not grow beyond 64 KiB while this lives: stands for a full disk.
class SmallDisk {
 public:
  SmallDisk() : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const ::rlimit small{65536, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  ::rlimit before_{};
  void (*handler_)(int);
};

TEST_F(SafeTensorsTest, KeepsTheOldFileWhereTheDiskIsFull) {
  save_folder(folder, {{"a", at::ones({1})}});
  {
    const SmallDisk small;
    EXPECT_ERROR(save_folder(folder, {{"a", at::ones({100'000})}}),
                 path("model.safetensors").string() + ": cannot be written (File too large)");
    const NamedTensors many = {{"a", at::ones({10'000})}, {"b", at::ones({100'000})}};
    EXPECT_ERROR(save_folder(folder, many, {.shard_bytes = 40'000}),
                 path("model-00002-of-00002.safetensors").string() + ": cannot be written (File too large)");
  }
  EXPECT_THAT(files(), ElementsAre("model.safetensors"));
  EXPECT_TRUE(identical(SafeTensors::open(folder).get("a"), at::ones({1})));
}

}  // namespace
}  // namespace filigree::tensor
