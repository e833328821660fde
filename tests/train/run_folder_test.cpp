#include "train/run_folder.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/expect_error.h"

namespace filigree::train {
namespace {

namespace fs = std::filesystem;

class Folder : public testing::Test {
 protected:
  void SetUp() override { fs::remove_all(path_); }
  void TearDown() override { fs::remove_all(path_); }

  fs::path path_ = fs::path(testing::TempDir()) /
                   ("filigree_run_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
};

TEST_F(Folder, KeepsSettingsMetricsAndCheckpoints) {
  const RunFolder run = RunFolder::create(path_, {{"a", 1}});
  EXPECT_EQ(RunFolder::open(path_).resolved(), Json({{"a", 1}}));
  for (int step = 1; step <= 4; ++step) {
    run.log({{"step", step}, {"loss", 1.0 / step}});
    run.save(
        step, [&](const fs::path& folder) { write_file(folder / "x", std::to_string(step)); }, 2);
  }
  EXPECT_EQ(run.checkpoints(), (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(run.latest(), 4);
  EXPECT_EQ(read_file(run.checkpoint(4) / "x"), "4");
  run.forget_after(2);
  ASSERT_EQ(run.metrics().size(), 2U);
  EXPECT_EQ(run.metrics()[1]["loss"], 0.5);
}

TEST_F(Folder, ALineThatWasCutOffIsLeftOut) {
  const RunFolder run = RunFolder::create(path_, Json::object());
  write_file(path_ / "metrics.jsonl", "{\"step\":1}\n{\"step\":2,\"lo");
  EXPECT_EQ(run.metrics().size(), 1U);
  write_file(path_ / "metrics.jsonl", "{\"step\":1}\nnot json\n");
  try {
    run.metrics();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("metrics.jsonl, line 2"), std::string::npos) << error.what();
  }
}

TEST_F(Folder, NothingIsLeftOfACheckpointThatFails) {
  const RunFolder run = RunFolder::create(path_, Json::object());
  const auto full = [](const fs::path& folder) {
    write_file(folder / "x", "half");
    fail("the disk is full");
  };
  EXPECT_ERROR(run.save(1, full, 2),
               "the checkpoint of step 1 cannot be written: the disk is full; there is no earlier one");
  run.save(
      1, [](const fs::path& folder) { write_file(folder / "x", "1"); }, 2);
  EXPECT_ERROR(run.save(2, full, 2),
               "the checkpoint of step 2 cannot be written: the disk is full; the checkpoint of step 1 is kept");
  EXPECT_EQ(run.checkpoints(), (std::vector<std::int64_t>{1}));
  EXPECT_FALSE(fs::exists(path_ / "checkpoints" / "step-00000002.part"));
}

TEST_F(Folder, HalfACheckpointIsNone) {
  const RunFolder run = RunFolder::create(path_, Json::object());
  fs::create_directories(path_ / "checkpoints" / "step-00000007.part");
  fs::create_directories(path_ / "checkpoints" / "step-00000006.old");
  EXPECT_FALSE(run.latest());
}

TEST_F(Folder, RefusesWhatIsNotARun) {
  EXPECT_ERROR(RunFolder::open(path_),
               path_.string() + ": holds no run; a run is a folder with resolved.json, as training makes it");
  RunFolder::create(path_, Json::object());
  EXPECT_ERROR(RunFolder::create(path_, Json::object()),
               path_.string() + ": holds a run already; go on with it by --resume, or choose another folder");
}

}  // namespace
}  // namespace filigree::train
