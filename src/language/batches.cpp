#include "language/batches.h"

#include <algorithm>
#include <numeric>

#include <ATen/ATen.h>

#include "base/error.h"

namespace filigree::language {

PackedBatches::PackedBatches(const TokenFile& tokens, Span part, std::int64_t rows, std::int64_t length,
                             std::uint64_t seed)
    : tokens_(tokens),
      part_(part),
      rows_(rows),
      length_(length),
      windows_((part.end - part.begin - 1) / length),
      random_(seed) {
  FILIGREE_ASSERT(part.begin >= 0 && part.end <= tokens.size() && rows >= 1 && length >= 1);
  if (windows_ < 1) {
    fail("the data has {} tokens, which is less than one sequence of {}; take more text or shorter sequences",
         part.end - part.begin, length + 1);
  }
}

std::int64_t PackedBatches::window(std::int64_t sample) const {
  const std::int64_t pass = sample / windows_;
  if (pass != pass_) {
    order_.resize(static_cast<std::size_t>(windows_));
    std::iota(order_.begin(), order_.end(), 0);
    random_.fork(static_cast<std::uint64_t>(pass)).shuffle(order_);
    pass_ = pass;
  }
  return order_[static_cast<std::size_t>(sample % windows_)];
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
