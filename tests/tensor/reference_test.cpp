#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "folder.h"
#include "support/paths.h"
#include "tensor/safetensors.h"

/// Checkpoints that another implementation wrote: read, written again, read again.
namespace filigree::tensor {
namespace {

namespace fs = std::filesystem;

class TensorReference : public test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    root_ = test::reference_dir();
    if (!fs::is_directory(root_)) GTEST_SKIP() << "no reference folder at " << root_.string();
  }

  fs::path root_;
};

NamedTensors all_of(const SafeTensors& file) {
  NamedTensors tensors;
  for (const std::string& name : file.names()) tensors.emplace_back(name, file.get(name));
  return tensors;
}

void expect_same(const SafeTensors& a, const SafeTensors& b) {
  EXPECT_THAT(b.names(), testing::UnorderedElementsAreArray(a.names()));
  for (const std::string& name : a.names()) EXPECT_TRUE(test::identical(a.get(name), b.get(name))) << name;
}

TEST_F(TensorReference, ShardsGoThroughUnchanged) {
  const SafeTensors file = SafeTensors::open(root_ / "pangu");
  const Json index = load_json(root_ / "pangu/model.safetensors.index.json");
  EXPECT_EQ(file.names().size(), index["weight_map"].size());
  std::int64_t total = 0;
  for (const auto& entry : all_of(file)) total += static_cast<std::int64_t>(entry.second.nbytes());
  EXPECT_EQ(total, index["metadata"]["total_size"].get<std::int64_t>());
  ASSERT_GT(total, 0);
  for (const std::int64_t shard_bytes : {std::int64_t{1}, total / 3, total}) {
    SaveOptions options;
    options.metadata = file.metadata();
    options.shard_bytes = shard_bytes;
    save_folder(folder, all_of(file), options);
    const SafeTensors again = SafeTensors::open(folder);
    expect_same(file, again);
    EXPECT_EQ(again.metadata(), file.metadata());
    EXPECT_EQ(load_json(again.path().extension() == ".json"
                            ? again.path()
                            : root_ / "pangu/model.safetensors.index.json")["metadata"]["total_size"],
              total);
  }
}

TEST_F(TensorReference, EveryFileIsWrittenByteForByte) {
  int count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    if (entry.path().extension() != ".safetensors") continue;
    const SafeTensors file = SafeTensors::open(entry.path());
    SaveOptions options;
    options.metadata = file.metadata();
    for (const std::string& name : file.names()) {
      const StoredType type = file.info(name).type;
      if (type == StoredType::f8_e4m3) options.float8[name] = Float8::e4m3;
      if (type == StoredType::f8_e5m2) options.float8[name] = Float8::e5m2;
    }
    save(folder / "again.safetensors", all_of(file), options);
    const SafeTensors again = SafeTensors::open(folder / "again.safetensors");
    expect_same(file, again);
    // Other writers may order the tensors otherwise; where they do as this one, every byte is the same.
    if (again.names() == file.names()) {
      EXPECT_TRUE(read_file(entry.path()) == read_file(folder / "again.safetensors")) << entry.path();
      ++count;
    }
  }
  RecordProperty("identical_files", count);
}

}  // namespace
}  // namespace filigree::tensor
