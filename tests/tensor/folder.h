#pragma once

#include <cstring>
#include <filesystem>
#include <set>
#include <string>

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

namespace filigree::test {

/// A folder that is there for one test.
class FolderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  /// Files in the folder, sorted.
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      names.insert(entry.path().filename().string());
    return names;
  }

  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) /
      (std::string("filigree_") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

/// Equal type, shape and bytes, so that NaN equals itself and 0 does not equal -0.
inline testing::AssertionResult identical(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() != b.scalar_type()) return testing::AssertionFailure() << "other type";
  if (a.sizes() != b.sizes()) return testing::AssertionFailure() << "other shape";
  const at::Tensor x = a.cpu().contiguous(), y = b.cpu().contiguous();
  const bool same = x.nbytes() == 0 || std::memcmp(x.data_ptr(), y.data_ptr(), x.nbytes()) == 0;
  return same ? testing::AssertionSuccess() : testing::AssertionFailure() << "other values";
}

}  // namespace filigree::test
