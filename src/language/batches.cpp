#include "language/batches.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "base/error.h"

namespace filigree::language {

namespace {

/// How many windows the part holds. Error where it is not one.
std::int64_t count_windows(Span part, std::int64_t length) {
  const std::int64_t windows = (part.end - part.begin - 1) / length;
  if (windows < 1) {
    fail("the data has {} tokens, which is less than one sequence of {}; take more text or shorter sequences",
         part.end - part.begin, length + 1);
  }
  return windows;
}

}  // namespace

PackedBatches::PackedBatches(const TokenFile& tokens, Span part, std::int64_t rows, std::int64_t length,
                             std::uint64_t seed)
    : tokens_(tokens),
      part_(part),
      rows_(rows),
      length_(length),
      windows_(count_windows(part, length)),
      order_(windows_, seed) {
  FILIGREE_ASSERT(part.begin >= 0 && part.end <= tokens.size() && rows >= 1 && length >= 1);
}

Batch PackedBatches::batch(std::int64_t number) const {
  Batch batch{at::empty({rows_, length_ + 1}, at::kLong), {}};
  auto* to = batch.ids_BT1.data_ptr<std::int64_t>();
  for (std::int64_t row = 0; row < rows_; ++row) {
    const std::int32_t* from = tokens_.data() + part_.begin + window(number * rows_ + row) * length_;
    to = std::copy(from, from + length_ + 1, to);
  }
  return batch;
}

}  // namespace filigree::language
