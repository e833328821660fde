#pragma once

#include "frame.h"

namespace filigree::cli {

/// Adds a command that filigree-torch has; it starts that program with the same words.
void add_torch_command(CLI::App& parent, const CommandText& text);

}  // namespace filigree::cli
