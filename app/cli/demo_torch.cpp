#include <cerrno>
#include <exception>

#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "demo_part.h"
#include "torch_command.h"

namespace filigree::cli {

namespace fs = std::filesystem;

std::optional<DemoPart> run_torch_demo(const std::string& group, const fs::path& folder) {
  if (!has_torch_program()) return std::nullopt;
  std::error_code code;
  fs::remove(folder / "part.json", code);
  const pid_t child = ::fork();
  if (child < 0) fail("{} demo: a process cannot be started", group);
  if (child == 0) {
    try {
      become_torch_program({group, "demo", "--output", folder.string()});
    } catch (const std::exception&) {
    }
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  constexpr int kInterruptedExit = 130;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kInterruptedExit) return std::nullopt;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fail("{} demo: it did not succeed; run 'filigree {} demo' to see why", group, group);
  }
  return load_config<DemoPart>(folder / "part.json");
}

}  // namespace filigree::cli
