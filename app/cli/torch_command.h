#pragma once

#include <string>
#include <vector>

#include "frame.h"

/// Commands that need LibTorch live in the program filigree-torch, which stands beside this one: LibTorch takes half a
/// second to load, which the planner and the tokenizers need not wait for. A build without LibTorch has none.
namespace filigree::cli {

bool has_torch_program();

/// Becomes filigree-torch with these words. Returns never. Error where it is not there.
void become_torch_program(const std::vector<std::string>& words);

/// Adds a command that filigree-torch has; it starts that program with the same words.
void add_torch_command(CLI::App& parent, const CommandText& text);

}  // namespace filigree::cli
