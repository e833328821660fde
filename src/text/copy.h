#pragma once

#include <filesystem>

namespace filigree::text {

/// Copies the files that load_tokenizer() may read in a folder, as far as they are there, into another one, which is made.
/// Error where one cannot be read or written.
void copy_tokenizer(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace filigree::text
