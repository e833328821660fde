#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

/// Work shared out to threads.
namespace filigree::plan {

/// `threads` as given, or for 0 the number of cores.
inline int worker_count(int threads) {
  return threads > 0 ? threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

/// Calls work(index, worker) for every index in [0, count), with worker in [0, workers), each index by whichever worker is
/// free. Returns when all are done; the first exception ends the work and is thrown again here.
template <class Work>
void for_each_index(std::int64_t count, int workers, const Work& work) {
  std::atomic<std::int64_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto loop = [&](int worker) {
    try {
      for (std::int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) work(i, worker);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      next.store(count);
    }
  };
  std::vector<std::jthread> threads;
  const int helpers = static_cast<int>(std::min<std::int64_t>(workers, count)) - 1;
  for (int worker = 1; worker <= helpers; ++worker) threads.emplace_back(loop, worker);
  loop(0);
  threads.clear();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace filigree::plan
