#pragma once

#include <algorithm>
#include <chrono>
#include <limits>

/// What the benchmarks share.
namespace filigree::dynamics {

/// Nanoseconds of one call: the least of many rounds, each long enough for the clock and short enough to be left alone by
/// whatever else the machine does.
template <class Work>
double nanoseconds_of(const Work& work, double round_seconds = 0.001, int rounds = 200) {
  using Clock = std::chrono::steady_clock;
  const auto seconds = [&](long calls) {
    const auto begin = Clock::now();
    for (long i = 0; i < calls; ++i) work();
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  long calls = 1;
  while (seconds(calls) < round_seconds && calls < (1L << 40)) calls *= 2;
  double least = std::numeric_limits<double>::infinity();
  for (int round = 0; round < rounds; ++round) least = std::min(least, seconds(calls));
  return 1e9 * least / static_cast<double>(calls);
}

/// Seconds of one call: the least of a few.
template <class Work>
double seconds_of(const Work& work, int rounds = 3) {
  double least = std::numeric_limits<double>::infinity();
  for (int round = 0; round < rounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return least;
}

}  // namespace filigree::dynamics
