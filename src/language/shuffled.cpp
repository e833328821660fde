#include "language/shuffled.h"

#include <numeric>

#include "base/error.h"

namespace filigree::language {

Shuffled::Shuffled(std::int64_t count, std::uint64_t seed) : count_(count), random_(seed) {
  FILIGREE_ASSERT(count >= 1);
}

std::int64_t Shuffled::operator()(std::int64_t number) const {
  const std::int64_t pass = number / count_;
  if (pass != pass_) {
    order_.resize(static_cast<std::size_t>(count_));
    std::iota(order_.begin(), order_.end(), std::int64_t{0});
    random_.fork(static_cast<std::uint64_t>(pass)).shuffle(order_);
    pass_ = pass;
  }
  return order_[static_cast<std::size_t>(number % count_)];
}

}  // namespace filigree::language
