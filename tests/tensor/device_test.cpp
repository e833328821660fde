#include "tensor/device.h"

#include <cstdlib>
#include <filesystem>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "support/expect_error.h"

namespace filigree::tensor {
namespace {

TEST(Device, ReadsNames) {
  EXPECT_EQ(parse_device("cpu"), at::Device(at::kCPU));
  for (const std::string& name : device_names()) EXPECT_EQ(parse_device(name).str(), name);
  if (device_names().size() > 1) {
    EXPECT_EQ(parse_device("cuda"), at::Device(at::kCUDA, 0));
  }
}

TEST(Device, NamesThoseThatThereAre) {
  const std::string names = text::join(device_names(), ", ");
  for (const char* bad : {"gpu", "", "CPU", "cpu:0", "cpu:1"}) {
    EXPECT_ERROR(parse_device(bad), fmt::format("there is no device '{}' here (one of: {})", bad, names));
  }
  const std::string hint = device_names().size() > 1 ? "" : ": LibTorch was built without CUDA, or finds no GPU";
  for (const char* bad : {"cuda:999", "cuda:", "cuda:x", "cuda:-1", "cuda:01"}) {
    EXPECT_ERROR(parse_device(bad), fmt::format("there is no device '{}' here{} (one of: {})", bad, hint, names));
  }
  if (device_names().size() == 1) {
    EXPECT_ERROR(parse_device("cuda"), "there is no device 'cuda' here" + hint + " (one of: cpu)");
  }
}

TEST(Device, ReadsTypes) {
  for (const char* name : {"float32", "bfloat16", "float16", "float64"}) EXPECT_EQ(dtype_name(parse_dtype(name)), name);
  EXPECT_EQ(parse_dtype("bfloat16"), at::kBFloat16);
  EXPECT_ERROR(parse_dtype("int8"),
               "there is no floating-point type 'int8' (one of: float32, bfloat16, float16, float64)");
  EXPECT_ERROR(parse_dtype("float23"),
               "there is no floating-point type 'float23'; did you mean 'float32'? (one of: "
               "float32, bfloat16, float16, float64)");
}

TEST(Device, NamesAllTypes) {
  EXPECT_EQ(dtype_name(at::kLong), "int64");
  EXPECT_EQ(dtype_name(at::kInt), "int32");
  EXPECT_EQ(dtype_name(at::kShort), "int16");
  EXPECT_EQ(dtype_name(at::kChar), "int8");
  EXPECT_EQ(dtype_name(at::kByte), "uint8");
  EXPECT_EQ(dtype_name(at::kBool), "bool");
}

TEST(Device, UsesThreads) {
  EXPECT_EQ(use_threads(1), 1);
  EXPECT_EQ(at::get_num_threads(), 1);
  EXPECT_EQ(use_threads(3), 3);
  EXPECT_EQ(use_threads(), use_threads(0));
  EXPECT_GE(use_threads(), 1);
  EXPECT_ERROR(use_threads(-1), "the number of threads must be at least 1, or 0 for all cores; got -1");
}

TEST(Device, TellsASlowBlasFromItsTimes) {
  EXPECT_FALSE(is_slow({.blas = 1e-4, .plain = 2e-3}));
  EXPECT_TRUE(is_slow({.blas = 7e-3, .plain = 2e-3}));
}

TEST(Device, MeasuresTheBlas) {
  const BlasTimes times = measure_blas();
  EXPECT_GT(times.blas, 0);
  EXPECT_GT(times.plain, 0);
  EXPECT_EQ(blas_warning(), blas_warning());
}

/// Runs itself once more, in a process that has the reference BLAS.
TEST(Device, WarnsOfTheReferenceBlas) {
#ifndef NDEBUG
  GTEST_SKIP() << "the plain loops are not optimised in this build";
#endif
  constexpr const char* kSelf = "FILIGREE_TEST_HAS_REFERENCE_BLAS";
  if (std::getenv(kSelf) != nullptr) {
    const BlasTimes times = measure_blas();
    EXPECT_TRUE(is_slow(times)) << times.blas << " s, plain " << times.plain << " s";
    ASSERT_TRUE(blas_warning().has_value());
    EXPECT_TRUE(blas_warning()->starts_with("LibTorch multiplies matrices with a slow BLAS ("));
    EXPECT_TRUE(blas_warning()->ends_with("on Debian install libopenblas0-openmp"));
    return;
  }
  std::filesystem::path reference;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib", code)) {
    if (std::filesystem::exists(entry.path() / "blas/libblas.so.3", code)) reference = entry.path() / "blas";
  }
  if (reference.empty()) GTEST_SKIP() << "the reference BLAS (libblas3) is not installed";
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command =
      fmt::format("{}=1 LD_LIBRARY_PATH='{}' '{}' --gtest_filter=Device.WarnsOfTheReferenceBlas >/dev/null 2>&1", kSelf,
                  reference.string(), self);
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

}  // namespace
}  // namespace filigree::tensor
