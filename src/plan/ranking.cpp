#include "plan/ranking.h"

#include <algorithm>

namespace filigree::plan {

void TopList::offer(const Ranked& candidate) {
  if (capacity_ == 0) return;
  if (ranked_.size() == capacity_ && !candidate.before(ranked_.back())) return;
  if (distinct_) {
    const auto same = std::find_if(ranked_.begin(), ranked_.end(),
                                   [&](const Ranked& other) { return other.frame == candidate.frame; });
    if (same != ranked_.end()) {
      if (!candidate.before(*same)) return;
      ranked_.erase(same);
    }
  }
  if (ranked_.size() == capacity_) ranked_.pop_back();
  const auto place = std::upper_bound(ranked_.begin(), ranked_.end(), candidate,
                                      [](const Ranked& a, const Ranked& b) { return a.before(b); });
  ranked_.insert(place, candidate);
}

void TopList::merge(const TopList& other) {
  for (const Ranked& candidate : other.ranked_) offer(candidate);
}

}  // namespace filigree::plan
