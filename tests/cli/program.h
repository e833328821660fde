#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"

/// Runs the built program as a user does.
namespace filigree::test {

struct Ran {
  int code = -1;  ///< exit code; 128 + signal where it crashed
  std::string out, err;
};

/// Waits for the program to end. Its output goes to files, so that none of it can block.
Ran run(const std::vector<std::string>& arguments);

/// As run, with these words on standard input.
Ran run_with_input(const std::vector<std::string>& arguments, const std::string& input);

/// As run, for another program that is on the path.
Ran run_other(const std::string& program, const std::vector<std::string>& arguments);

/// Expects success and an output that is JSON.
Json run_json(const std::vector<std::string>& arguments);

/// A new folder for one test, removed with its content when it goes out of scope.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path(const std::string& name) const { return (path_ / name).string(); }

  /// Writes a file and returns its path.
  std::string write(const std::string& name, const std::string& content) const;

  /// Names of what is in it, sorted.
  std::vector<std::string> names() const;

 private:
  std::filesystem::path path_;
};

/// Expects that the program ends with this code, prints nothing, says one sentence that holds `message`, and leaves the
/// folder as it is.
void expect_failure(const Folder& folder, const std::vector<std::string>& words, int code, const std::string& message);

}  // namespace filigree::test
