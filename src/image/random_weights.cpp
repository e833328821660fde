#include "image/random_weights.h"

#include <cmath>
#include <unordered_map>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/random.h"
#include "spec/count.h"
#include "tensor/pieces.h"

namespace filigree::image {
namespace {

constexpr double kSmall = 0.02;                      // deviation of biases and norms
constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15;  // splitmix64's, so that places are its successive states

/// FNV-1a, the same everywhere.
std::uint64_t hash(const std::string& text) {
  std::uint64_t h = 0xCBF29CE484222325;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return h;
}

class RandomSource : public tensor::WeightSource {
 public:
  RandomSource(std::vector<RandomTensor> tensors, std::uint64_t seed) : seed_(seed) {
    for (RandomTensor& one : tensors) {
      names_.push_back(one.name);
      shapes_.emplace(one.name, std::move(one.shape));
    }
  }

  std::string where() const override { return "random weights"; }
  const std::vector<std::string>& names() const override { return names_; }
  bool has(const std::string& name) const override { return shapes_.count(name) != 0; }
  std::vector<std::int64_t> shape(const std::string& name) const override {
    const auto it = shapes_.find(name);
    if (it == shapes_.end()) fail("random weights: there is no tensor '{}'", name);
    return it->second;
  }
  std::string stored_as(const std::string&) const override { return "F32"; }
  std::int64_t bytes(const std::string&) const override { return 0; }

  void read(const std::string& name, const at::Tensor& destination) const override {
    const std::vector<std::int64_t> sizes = shape(name);
    if (destination.numel() == 0) return;
    const bool matrix = sizes.size() > 1, bias = name.ends_with(".bias");
    const std::int64_t inputs = matrix ? destination.numel() / sizes[0] : 1;
    const double deviation = matrix ? 1 / std::sqrt(static_cast<double>(inputs)) : kSmall;
    const auto mean = static_cast<float>(matrix || bias ? 0 : 1);
    // Uniform in ±1/2 has the deviation 1 / sqrt(12).
    const auto width = static_cast<float>(deviation * std::sqrt(12.0));
    std::uint64_t state = seed_ ^ hash(name);
    const std::uint64_t begin = splitmix64(state);
    tensor::fill_rows(destination, destination.numel() / inputs,
                      [&](std::int64_t first, std::int64_t count, float* out) {
                        std::uint64_t at = begin + static_cast<std::uint64_t>(first * inputs) * kStep;
                        for (std::int64_t i = 0; i < count * inputs; ++i) {
                          const auto bits = static_cast<std::int32_t>(splitmix64(at) >> 40);  // 24 of them
                          out[i] = mean + width * (static_cast<float>(bits) * 0x1p-24F - 0.5F);
                        }
                      });
  }

 private:
  std::uint64_t seed_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::vector<std::int64_t>> shapes_;
};

}  // namespace

std::shared_ptr<const tensor::WeightSource> random_source(std::vector<RandomTensor> tensors, std::uint64_t seed) {
  return std::make_shared<RandomSource>(std::move(tensors), seed);
}

std::vector<RandomTensor> dit_random_tensors(const spec::Dit& config) {
  std::vector<RandomTensor> tensors;
  for (const spec::TensorInfo& info : spec::dit_tensors(config)) tensors.push_back({info.name, info.shape});
  return tensors;
}

}  // namespace filigree::image
