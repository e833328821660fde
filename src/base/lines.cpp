#include "base/lines.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"

namespace filigree {

std::vector<TextLine> read_lines(const std::filesystem::path& path) {
  const std::string content = read_file(path);
  std::vector<TextLine> lines;
  std::size_t begin = 0;
  for (std::size_t number = 1; begin < content.size(); ++number) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    const std::string_view line = std::string_view(content).substr(begin, end - begin);
    begin = end + 1;
    if (text::trim(line).empty()) continue;
    lines.push_back({std::string(line), fmt::format("{}, line {}", path.string(), number), end < content.size()});
  }
  return lines;
}

}  // namespace filigree
