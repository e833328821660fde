#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "spec/dit.h"
#include "tensor/weight_source.h"

/// Random weights, to try things without a published model.
namespace filigree::image {

struct RandomTensor {
  std::string name;
  std::vector<std::int64_t> shape;
};

/// Made when they are read, so that they may be larger than memory; each number depends on the seed, its tensor's name and
/// its place alone. Matrices are uniform with variance 1 / inputs, weights of norms near 1, biases small.
std::shared_ptr<const tensor::WeightSource> random_source(std::vector<RandomTensor> tensors, std::uint64_t seed);

/// All tensors of a transformer.
std::vector<RandomTensor> dit_random_tensors(const spec::Dit& config);

}  // namespace filigree::image
