#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"

namespace filigree::language {

/// An order of `count` things that changes with every pass over them: number -> thing, by the seed alone, so that a run
/// goes on at the exact sample.
class Shuffled {
 public:
  Shuffled(std::int64_t count, std::uint64_t seed);
  std::int64_t operator()(std::int64_t number) const;

 private:
  std::int64_t count_;
  Random random_;
  mutable std::int64_t pass_ = -1;  ///< whose order is kept
  mutable std::vector<std::int64_t> order_;
};

}  // namespace filigree::language
