#pragma once

#include <filesystem>
#include <string>
#include <vector>

/// Text files that are read line by line, such as JSON lines.
namespace filigree {

struct TextLine {
  std::string text;
  std::string where;  ///< "data.jsonl, line 3", for messages
  bool ended = true;  ///< false for a last line without its end, which may have been cut off
};

/// The lines that hold more than white space. Error where the file cannot be read.
std::vector<TextLine> read_lines(const std::filesystem::path& path);

}  // namespace filigree
