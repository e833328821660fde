#pragma once

#include <string>

#include <CLI/CLI.hpp>

/// Shell completion, made from the tree of commands.
namespace filigree::cli {

/// A bash script that completes commands, options, recipes after --model and --cluster, and files.
std::string bash_completion(const CLI::App& app);

}  // namespace filigree::cli
