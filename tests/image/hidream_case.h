#pragma once

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include "support/paths.h"
#include "tensor/device.h"
#include "tensor/safetensors.h"

/// The HiDream case of the reference folder. Its tests skip where it is not there.
namespace filigree::image {

inline bool has_gpu() {
  const std::vector<std::string> devices = tensor::device_names();
  return std::find(devices.begin(), devices.end(), "cuda:0") != devices.end();
}

class HidreamCase : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(test::reference_dir()) / "hidream";
    if (!std::filesystem::is_directory(folder_)) GTEST_SKIP() << "no reference case at " << folder_.string();
    reference_.emplace(tensor::SafeTensors::open(folder_ / "reference.safetensors"));
  }

  at::Tensor reference(const std::string& name) const { return reference_->get(name); }

  std::filesystem::path folder_;
  std::optional<tensor::SafeTensors> reference_;
};

}  // namespace filigree::image
