#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include "spec/cluster.h"

/// This device as the planner describes machines: one accelerator, its figures measured here and now.
namespace filigree::language {

/// Matrix products of several shapes (peak, and how much small ones lose), grouped products, a copy of memory, and the
/// fixed cost of a small operator with its gradient. Takes a second or two. Networks are stated but mean nothing.
spec::Cluster measure_device(c10::Device device, c10::ScalarType dtype);

}  // namespace filigree::language
