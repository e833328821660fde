#include "language/line_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/error.h"

extern char** environ;

namespace filigree::language {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kGrace = 2;  // seconds that work may still take when it shall stop

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

void close_one(int& file) {
  if (file >= 0) ::close(file);
  file = -1;
}

/// Keeps a write to a program that has ended from ending ours: the signal is held back, and taken away if it came.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoPipeSignal() {
    const timespec now{};
    while (sigtimedwait(&pipe_, nullptr, &now) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

 private:
  sigset_t pipe_{}, before_{};
};

}  // namespace

LineProcess::LineProcess(std::string command) : command_(std::move(command)) {
  std::array<int, 2> in{-1, -1}, out{-1, -1};
  if (pipe2(in.data(), O_CLOEXEC) != 0) fail("'{}' cannot be started ({})", command_, std::strerror(errno));
  if (pipe2(out.data(), O_CLOEXEC) != 0) {
    const std::string why = std::strerror(errno);
    for (int& file : in) close_one(file);
    fail("'{}' cannot be started ({})", command_, why);
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);  // so that all it starts can be ended with it
  std::string shell = "sh", option = "-c", words = command_;
  const std::array<char*, 4> arguments{shell.data(), option.data(), words.data(), nullptr};
  const int code = posix_spawn(&pid_, "/bin/sh", &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close_one(in[0]);
  close_one(out[1]);
  input_ = in[1];
  output_ = out[0];
  if (code != 0) {
    pid_ = -1;
    close_all();
    fail("'{}' cannot be started ({})", command_, std::strerror(code));
  }
  fcntl(input_, F_SETFL, O_NONBLOCK);
  fcntl(output_, F_SETFL, O_NONBLOCK);
}

LineProcess::~LineProcess() {
  close_all();
  if (pid_ < 0) return;
  const Clock::time_point begin = Clock::now();
  while (waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (seconds_since(begin) > 1) {
      ::kill(-pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
      return;
    }
    usleep(2000);
  }
  ::kill(-pid_, SIGKILL);  // what it may have left behind
}

void LineProcess::close_all() {
  close_one(input_);
  close_one(output_);
}

/// Writes what the pipe takes; false where nobody reads any more.
bool LineProcess::send(std::string& waiting) {
  const NoPipeSignal guard;
  const ssize_t sent = ::write(input_, waiting.data(), waiting.size());
  if (sent >= 0) waiting.erase(0, static_cast<std::size_t>(sent));
  return sent >= 0 || errno == EAGAIN || errno == EINTR;
}

/// Reads what there is; false at the end of the program's output.
bool LineProcess::receive() {
  std::array<char, 4096> buffer{};
  const ssize_t size = ::read(output_, buffer.data(), buffer.size());
  if (size > 0) received_.append(buffer.data(), static_cast<std::size_t>(size));
  return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

/// After its output has ended.
std::string LineProcess::how_it_ended() {
  close_all();
  const Clock::time_point begin = Clock::now();
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (seconds_since(begin) > 1) return "closed its output";
    usleep(2000);
  }
  pid_ = -1;
  if (WIFSIGNALED(status)) return fmt::format("was ended by signal {}", WTERMSIG(status));
  return fmt::format("ended with status {}", WEXITSTATUS(status));
}

std::vector<std::string> LineProcess::exchange(const std::vector<std::string>& lines, double seconds) {
  if (input_ < 0) fail("'{}' has ended before", command_);
  std::string waiting;
  for (const std::string& line : lines) {
    FILIGREE_ASSERT(line.find('\n') == std::string::npos);
    waiting += line;
    waiting += '\n';
  }
  std::vector<std::string> answers;
  Clock::time_point last = Clock::now();
  const auto take_lines = [&] {
    for (std::size_t end = received_.find('\n'); end != std::string::npos; end = received_.find('\n')) {
      answers.push_back(received_.substr(0, end));
      received_.erase(0, end + 1);
      last = Clock::now();
    }
  };
  const auto place = [&] { return fmt::format("line {} of {}", answers.size() + 1, lines.size()); };
  std::optional<Clock::time_point> stopped;
  bool reads = true;
  receive();
  if (!received_.empty()) {
    fail("'{}' printed a line before it got one: '{}'", command_, received_.substr(0, received_.find('\n')));
  }
  while (answers.size() < lines.size()) {
    constexpr int kSlice = 50;  // milliseconds
    std::array<pollfd, 2> files{{{output_, POLLIN, 0}, {waiting.empty() || !reads ? -1 : input_, POLLOUT, 0}}};
    ::poll(files.data(), files.size(), kSlice);
    if (files[1].revents != 0) reads = send(waiting);
    if (files[0].revents != 0) {
      const bool open = receive();
      take_lines();
      if (!open && answers.size() < lines.size()) {
        const std::string at = place();
        fail("'{}' {} before it answered {}", command_, how_it_ended(), at);
      }
    }
    if (answers.size() >= lines.size()) break;
    if (cancelled() && !stopped) stopped = Clock::now();
    if (stopped && seconds_since(*stopped) > kGrace) {
      fail("'{}' was not waited for: the work was stopped", command_);
    }
    if (seconds_since(last) > seconds) fail("'{}' gave no answer to {} within {:g} s", command_, place(), seconds);
  }
  if (answers.size() > lines.size() || !received_.empty()) {
    fail("'{}' printed more than one line for each of the {} it got; it began with '{}'", command_, lines.size(),
         answers.size() > lines.size() ? answers[lines.size()] : received_);
  }
  return answers;
}

}  // namespace filigree::language
