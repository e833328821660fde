#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

/// A program of the user's that answers lines with lines.
namespace filigree::language {

/// Starts `sh -c command` once and keeps it until the end, when its input is closed and, a second later, whatever is left
/// of it is killed. What it writes to its standard error goes where ours goes.
class LineProcess {
 public:
  /// Error where it cannot be started.
  explicit LineProcess(std::string command);
  ~LineProcess();
  LineProcess(const LineProcess&) = delete;
  LineProcess& operator=(const LineProcess&) = delete;

  /// Sends lines (without line ends) and gives as many lines that come back. Neither side has to wait for the other to read.
  /// Error where the next line takes longer than so many seconds, where the program ends before its last line or sends more
  /// lines than it got, or where the work is cancelled and it does not come to an end within two seconds.
  std::vector<std::string> exchange(const std::vector<std::string>& lines, double seconds);

  const std::string& command() const { return command_; }

 private:
  bool send(std::string& waiting);
  bool receive();
  std::string how_it_ended();
  void close_all();

  std::string command_;
  pid_t pid_ = -1;
  int input_ = -1, output_ = -1;  ///< the program's, our ends of the pipes
  std::string received_;          ///< up to the last line that has not ended
};

}  // namespace filigree::language
