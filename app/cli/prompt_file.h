#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace filigree::cli {

/// Prompts from a file: one on each line or, in name.jsonl, one JSON object with the text "prompt" on each line; other keys
/// and lines without anything are left alone. Error, with the line, for what is neither, for text that is not UTF-8, for
/// an empty prompt and for a file without prompts.
std::vector<std::string> read_prompt_file(const std::filesystem::path& path);

}  // namespace filigree::cli
