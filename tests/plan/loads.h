#pragma once

#include <cstdint>

#include "spec/load.h"

namespace filigree::plan::test {

inline spec::Load make_load(spec::LoadKind kind, double parameter = 0, std::int64_t seed = 0) {
  spec::Load load;
  load.kind = kind;
  load.parameter = parameter;
  load.seed = seed;
  return load;
}

}  // namespace filigree::plan::test
