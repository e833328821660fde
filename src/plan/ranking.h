#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "plan/candidates.h"

/// The best candidates seen so far.
namespace filigree::plan {

struct Ranked {
  double step_s = 0;
  double peak_memory = 0;  ///< bytes
  CandidateId id;
  std::int64_t frame = 0;

  /// Faster first; of equals the one that the lists of the space name first.
  bool before(const Ranked& other) const { return step_s != other.step_s ? step_s < other.step_s : id < other.id; }
};

/// Keeps the first `capacity` of what it is offered, in order; where `distinct`, the first of every frame only. What it
/// holds at the end does not depend on the order of offers, nor on how they are spread over lists that are merged.
class TopList {
 public:
  TopList(std::size_t capacity, bool distinct) : capacity_(capacity), distinct_(distinct) {}

  void offer(const Ranked& candidate);
  void merge(const TopList& other);

  /// Nothing slower than this can enter any more; infinity while there is room.
  double threshold() const {
    return ranked_.size() < capacity_ ? std::numeric_limits<double>::infinity() : ranked_.back().step_s;
  }
  const std::vector<Ranked>& ranked() const { return ranked_; }

 private:
  std::size_t capacity_;
  bool distinct_;
  std::vector<Ranked> ranked_;
};

}  // namespace filigree::plan
