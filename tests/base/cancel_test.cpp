#include "base/cancel.h"

#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>

namespace filigree {
namespace {

TEST(Cancel, CanBeRequestedAndReset) {
  reset_cancel();
  EXPECT_FALSE(cancelled());
  request_cancel();
  EXPECT_TRUE(cancelled());
  reset_cancel();
  EXPECT_FALSE(cancelled());
}

// In child processes, so that this one keeps its signal handlers.
TEST(CancelDeathTest, TheFirstSignalSetsTheFlag) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const auto work = [signal] {
      reset_cancel();
      install_cancel_handler();
      const bool before = cancelled();
      std::raise(signal);
      std::_Exit(!before && cancelled() ? 7 : 1);
    };
    EXPECT_EXIT(work(), testing::ExitedWithCode(7), "");
  }
}

TEST(CancelDeathTest, TheSecondSignalEndsTheProgram) {
  const auto work = [] {
    reset_cancel();
    install_cancel_handler();
    std::raise(SIGINT);
    std::raise(SIGINT);
    std::_Exit(1);
  };
  EXPECT_EXIT(work(), testing::KilledBySignal(SIGINT), "");
}

TEST(CancelDeathTest, AnIgnoredSignalStaysIgnored) {
  const auto work = [] {
    reset_cancel();
    std::signal(SIGINT, SIG_IGN);
    install_cancel_handler();
    std::raise(SIGINT);
    std::_Exit(cancelled() ? 1 : 7);
  };
  EXPECT_EXIT(work(), testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace filigree
