#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/json.h"

/// What all commands share: how they are hung into the program, how they print, and how they fail.
namespace filigree::cli {

/// Exit codes. What the command line itself gets wrong (an unknown command, option, name or key; a text of the wrong form)
/// is usage; what is wrong in a file, cannot be done or does not go together is a failure.
inline constexpr int kSuccess = 0;
inline constexpr int kFailure = 1;
inline constexpr int kUsage = 2;
inline constexpr int kInterrupted = 130;

/// Where a command's result goes.
struct Output {
  bool json = false;
  std::string file;  // "": standard output

  /// Whether the result is wanted as JSON: --json, or a file whose name ends in .json.
  bool as_json() const;
};

/// Adds --json and --output.
void add_output(CLI::App& command, Output& output);

/// Prints the result, or writes the file and says so on stderr.
void emit(const Output& output, const std::string& text);
void emit(const Output& output, const Json& json);

/// Refuses option values that are no whole number from low to high.
CLI::Validator whole_number(std::int64_t low, std::int64_t high);

/// Adds --threads, whose default is the number of cores.
void add_threads(CLI::App& command, int& threads);

/// Adds an option for a picture: a file that ends in .png or .svg. UsageError for another ending, before any work.
void add_picture(CLI::App& command, const std::string& flag, std::string& path, const std::string& help);

/// What `read` gives; its errors are about words on the command line, so they are wrong usage.
template <class Read>
decltype(auto) from_words(const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
}

/// A command with its description, an example for the end of its help, and what it does.
struct CommandText {
  std::string name, description, example;
};
CLI::App* add_command(CLI::App& parent, const CommandText& text);

/// Says on stderr that a file was written.
void report_written(const std::filesystem::path& path);

/// Runs the program: parses, calls the chosen command, prints one sentence where it fails. Returns the exit code.
int run_program(CLI::App& app, int argc, const char* const* argv);

}  // namespace filigree::cli
