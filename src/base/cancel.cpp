#include "base/cancel.h"

#include <atomic>
#include <csignal>

namespace filigree {
namespace {

std::atomic<bool> flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch only lock-free atomics");

extern "C" void on_signal(int signal) {
  if (!flag.exchange(true)) return;
  // The signal is blocked while its handler runs: the default action follows as soon as this returns.
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void install(int signal) {
  struct sigaction before {};
  ::sigaction(signal, nullptr, &before);
  if (before.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

void install_cancel_handler() {
  install(SIGINT);
  install(SIGTERM);
}

bool cancelled() { return flag.load(std::memory_order_relaxed); }

void request_cancel() { flag.store(true); }

void reset_cancel() { flag.store(false); }

}  // namespace filigree
