#include "program.h"

#include <algorithm>
#include <cstdlib>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "support/paths.h"

extern char** environ;

namespace filigree::test {
namespace fs = std::filesystem;

namespace {

Ran run_reading(const std::string& program, const std::vector<std::string>& arguments, const std::string& standard_in) {
  const Folder folder;
  const std::string out = folder.path("out"), err = folder.path("err");
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, standard_in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, out.c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_addopen(&files, 2, err.c_str(), O_WRONLY | O_CREAT, 0600);
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, program.c_str(), &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  Ran ran;
  if (failed != 0) return ran;
  int status = 0;
  waitpid(child, &status, 0);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ran.out = read_file(out);
  ran.err = read_file(err);
  return ran;
}

}  // namespace

Ran run_other(const std::string& program, const std::vector<std::string>& arguments) {
  return run_reading(program, arguments, "/dev/null");
}

Ran run_with_input(const std::vector<std::string>& arguments, const std::string& input) {
  const Folder folder;
  return run_reading(program(), arguments, folder.write("in", input));
}

Ran run(const std::vector<std::string>& arguments) { return run_other(program(), arguments); }

Json run_json(const std::vector<std::string>& arguments) {
  const Ran ran = run(arguments);
  EXPECT_EQ(ran.code, 0) << ran.err;
  return ran.code == 0 ? parse_json(ran.out, "output") : Json();
}

Folder::Folder() {
  std::string name = (fs::temp_directory_path() / "filigree-cli-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw Error("no temporary folder can be made");
  path_ = name;
}

Folder::~Folder() {
  std::error_code code;
  fs::remove_all(path_, code);
}

std::string Folder::write(const std::string& name, const std::string& content) const {
  write_file(path_ / name, content);
  return path(name);
}

std::vector<std::string> Folder::names() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(path_)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

void expect_failure(const Folder& folder, const std::vector<std::string>& words, int code, const std::string& message) {
  const std::vector<std::string> before = folder.names();
  const Ran ran = run(words);
  EXPECT_EQ(ran.code, code) << testing::PrintToString(words) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_TRUE(ran.err.starts_with("filigree: ")) << ran.err;
  EXPECT_THAT(ran.err, testing::HasSubstr(message));
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  EXPECT_EQ(folder.names(), before);
}

}  // namespace filigree::test
