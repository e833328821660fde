#include "base/progress.h"

#include <cstdlib>
#include <limits>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/table.h"

namespace filigree {
namespace {

/// A FILE* whose content can be read back.
class MemoryFile {
 public:
  MemoryFile() : file_(::open_memstream(&buffer_, &size_)) {}
  ~MemoryFile() {
    std::fclose(file_);
    std::free(buffer_);
  }
  std::FILE* file() { return file_; }
  std::string take() {
    std::fflush(file_);
    const std::string text(buffer_ + taken_, size_ - taken_);
    taken_ = size_;
    return text;
  }

 private:
  char* buffer_ = nullptr;
  std::size_t size_ = 0, taken_ = 0;
  std::FILE* file_;
};

class ProgressTest : public testing::Test {
 protected:
  TerminalStyle style(bool is_terminal) {
    TerminalStyle out;
    out.is_terminal = is_terminal;
    out.clock = [this] { return now; };
    return out;
  }
  double now = 100;
  MemoryFile memory;
};

TEST_F(ProgressTest, WritesALineNowAndThen) {
  TerminalProgress progress(memory.file(), style(false));
  progress.update(0, 4000, "layouts");
  now += 9.9;
  progress.update(900, 4000, "layouts");
  EXPECT_EQ(memory.take(), "");
  now += 0.1;
  progress.update(1000, 4000, "layouts");
  EXPECT_EQ(memory.take(), "layouts   25 %  1,000/4,000  100/s  30 s left\n");
  now += 5;
  progress.update(1500, 4000, "layouts");
  EXPECT_EQ(memory.take(), "");
  now += 25;
  progress.update(4000, 4000, "layouts");
  EXPECT_EQ(memory.take(), "layouts  100 %  4,000/4,000  100/s\n");
  progress.finish();
  EXPECT_EQ(memory.take(), "layouts: 4,000 in 40 s\n");
  progress.finish();
  EXPECT_EQ(memory.take(), "");
}

TEST_F(ProgressTest, DrawsABarOnATerminal) {
  TerminalProgress progress(memory.file(), style(true));
  progress.update(0, 8, "steps");
  now += 0.05;
  progress.update(1, 8, "steps");
  EXPECT_EQ(memory.take(), "");
  now += 1.95;
  progress.update(4, 8, "steps");
  const std::string bar = memory.take();
  EXPECT_TRUE(bar.starts_with("\r\x1b[K████████████████████····")) << bar;
  EXPECT_TRUE(bar.ends_with("  steps   50 %  4/8  2/s  2.0 s left")) << bar;
  progress.finish();
  EXPECT_EQ(memory.take(), "\r\x1b[Ksteps: 4 of 8 in 2.0 s\n");
}

TEST_F(ProgressTest, BarFitsTheTerminal) {
  for (const int width : {10, 30, 50, 60, 80, 200}) {
    TerminalStyle narrow = style(true);
    narrow.width = width;
    TerminalProgress progress(memory.file(), narrow);
    progress.update(0, 1000000, "Schichten µ");
    now += 3;
    progress.update(333333, 1000000, "Schichten µ");
    EXPECT_LT(display_width(memory.take().substr(4)), static_cast<std::size_t>(width)) << width;
    progress.finish();
    memory.take();
  }
}

TEST_F(ProgressTest, ShortWorkLeavesNothing) {
  {
    TerminalProgress progress(memory.file(), style(true));
    progress.update(0, 2, "a");
    now += 0.5;
    progress.update(1, 2, "a");
    memory.take();
  }
  EXPECT_EQ(memory.take(), "\r\x1b[K");
  {
    TerminalProgress progress(memory.file(), style(false));
    progress.update(0, 2, "a");
    now += 0.5;
  }
  EXPECT_EQ(memory.take(), "");
}

TEST_F(ProgressTest, ANewLabelEndsTheOneBefore) {
  TerminalProgress progress(memory.file(), style(false));
  progress.update(0, 0, "first");
  now += 20;
  progress.update(5, 0, "first");
  EXPECT_EQ(memory.take(), "first  5  4.0 s each\n");
  progress.update(0, 10, "second");
  EXPECT_EQ(memory.take(), "first: 5 in 20 s\n");
  now += 10;
  progress.update(0, 10, "second");
  EXPECT_EQ(memory.take(), "second    0 %  0/10\n");
}

TEST_F(ProgressTest, WritesLargeRates) {
  TerminalProgress progress(memory.file(), style(false));
  progress.update(0, 0, "ops");
  now += 10;
  progress.update(25'000, 0, "ops");
  EXPECT_EQ(memory.take(), "ops  25,000  2.5 k/s\n");
  now += 10;
  progress.update(50'000'000, 0, "ops");
  EXPECT_EQ(memory.take(), "ops  50,000,000  2.5 M/s\n");
}

TEST_F(ProgressTest, FindsOutAboutTheStream) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  EXPECT_FALSE(TerminalStyle::for_stream(file).is_terminal);
  EXPECT_EQ(TerminalStyle::for_stream(file).width, 80);
  {
    TerminalProgress progress(file);
    progress.update(1, 2, "x");
  }
  EXPECT_EQ(std::ftell(file), 0);
  std::fclose(file);
}

struct Recorder : ProgressSink {
  void update(std::int64_t done, std::int64_t total, std::string_view label) override {
    lines.push_back(std::string(label) + " " + std::to_string(done) + "/" + std::to_string(total));
  }
  void finish() override { lines.push_back("end"); }
  std::vector<std::string> lines;
};

TEST(Progress, CountsAndEnds) {
  Recorder recorder;
  {
    Progress progress(&recorder, 3, "x");
    progress.advance();
    progress.advance(2);
  }
  EXPECT_EQ(recorder.lines, (std::vector<std::string>{"x 0/3", "x 1/3", "x 3/3", "end"}));
}

TEST(Progress, ToleratesNoSink) {
  Progress progress(nullptr, 3, "x");
  EXPECT_NO_THROW(progress.advance());
}

TEST(Progress, CountsFromSeveralThreads) {
  Recorder recorder;
  {
    Progress progress(&recorder, 2000, "x");
    const auto work = [&] {
      for (int i = 0; i < 1000; ++i) progress.advance();
    };
    std::thread other(work);
    work();
    other.join();
  }
  EXPECT_EQ(recorder.lines.size(), 2002u);
  EXPECT_EQ(recorder.lines[2000], "x 2000/2000");
}

TEST(Progress, WritesDurations) {
  EXPECT_EQ(duration_text(0.84), "0.8 s");
  EXPECT_EQ(duration_text(9.96), "10 s");
  EXPECT_EQ(duration_text(59.6), "1 min 00 s");
  EXPECT_EQ(duration_text(185), "3 min 05 s");
  EXPECT_EQ(duration_text(7620), "2 h 07 min");
  EXPECT_EQ(duration_text(3 * 86400 + 4 * 3600), "3 d 04 h");
  EXPECT_EQ(duration_text(1e30), "11574 d 01 h");
  EXPECT_EQ(duration_text(-1), "?");
  EXPECT_EQ(duration_text(std::numeric_limits<double>::infinity()), "?");
}

}  // namespace
}  // namespace filigree
