#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

#include "base/error.h"
#include "torch_command.h"

namespace filigree::cli {
namespace {

namespace fs = std::filesystem;

/// Debian's OpenBLAS does not know newer processors and then uses kernels for SSE3, at a third of the speed. Its choice is
/// made when it is loaded, so it is told here; a choice of the user's stays.
void choose_blas_kernels() {
#if defined(__x86_64__)
  const char* kernels = nullptr;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) kernels = "HASWELL";
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd")) {
    kernels = "SKYLAKEX";
  }
  if (kernels != nullptr) setenv("OPENBLAS_CORETYPE", kernels, 0);
#endif
}

/// Threads of OpenMP wait for each other by spinning, for a millisecond unless told. On a machine that others use too the
/// one that is waited for may not be running at all, and training was seen to take thirty times as long. A shorter wait
/// costs a few per cent on an idle machine.
void wait_briefly() {
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) setenv("GOMP_SPINCOUNT", "20000", 0);
}

fs::path torch_program() { return fs::read_symlink("/proc/self/exe").parent_path() / "filigree-torch"; }

}  // namespace

bool has_torch_program() { return fs::exists(torch_program()); }

void become_torch_program(const std::vector<std::string>& words) {
  const fs::path program = torch_program();
  if (!has_torch_program()) {
    fail("this build has no LibTorch, which '{} {}' needs: {} is missing; configure with -DFILIGREE_TORCH=ON", words[0],
         words[1], program.string());
  }
  std::vector<std::string> all{"filigree"};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> arguments;
  for (std::string& word : all) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  choose_blas_kernels();
  wait_briefly();
  execv(program.c_str(), arguments.data());
  fail("{}: cannot be started", program.string());
}

void add_torch_command(CLI::App& parent, const CommandText& text) {
  CLI::App* command = add_command(parent, text);
  command->set_help_flag();  // filigree-torch has the help
  command->prefix_command();
  const std::string group = parent.get_name(), name = text.name;
  command->callback([command, group, name] {
    std::vector<std::string> words{group, name};
    for (const std::string& word : command->remaining()) words.push_back(word);
    become_torch_program(words);
  });
}

}  // namespace filigree::cli
