#include "base/table.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/error.h"
#include "base/html.h"
#include "base/text.h"

namespace filigree {
namespace {

struct Range {
  std::uint32_t first, last;
};

// Unicode blocks; coarse, but right for what reports and prompts hold.
constexpr std::array<Range, 9> kNoWidth{{{0x0300, 0x036F},
                                         {0x0483, 0x0489},
                                         {0x0591, 0x05BD},
                                         {0x064B, 0x065F},
                                         {0x1AB0, 0x1AFF},
                                         {0x1DC0, 0x1DFF},
                                         {0x200B, 0x200F},
                                         {0x20D0, 0x20FF},
                                         {0xFE00, 0xFE0F}}};
constexpr std::array<Range, 9> kDoubleWidth{{{0x1100, 0x115F},
                                             {0x2E80, 0x303E},
                                             {0x3041, 0xA4CF},
                                             {0xAC00, 0xD7A3},
                                             {0xF900, 0xFAFF},
                                             {0xFE30, 0xFE6F},
                                             {0xFF00, 0xFF60},
                                             {0x1F300, 0x1FAFF},
                                             {0x20000, 0x3FFFD}}};

template <std::size_t N>
bool contains(const std::array<Range, N>& ranges, std::uint32_t code) {
  return std::any_of(ranges.begin(), ranges.end(), [code](Range r) { return r.first <= code && code <= r.last; });
}

/// Takes one character off the front of UTF-8 text; a byte out of place stands for itself.
std::uint32_t next_code(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 1;
  std::uint32_t code = length == 1 ? lead : lead & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const unsigned char next = i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
    if (next >> 6 != 2) {
      text.remove_prefix(1);
      return lead;
    }
    code = code << 6 | (next & 0x3Fu);
  }
  text.remove_prefix(length);
  return code;
}

/// "12", "-1,234.5", "3e-5", "≈ 12.5 GB", "45 %", "1.8x"; also what stands for a missing number.
bool looks_numeric(std::string_view cell) {
  cell = text::trim(cell);
  if (cell.empty() || cell == "-" || cell == "–" || cell == "—" || cell == "n/a") return true;
  for (const std::string_view sign : {"+", "-", "−", "±", "~", "≈", "<", ">", "≤", "≥", "×"}) {
    if (cell.starts_with(sign)) {
      cell = text::trim(cell.substr(sign.size()));
      break;
    }
  }
  if (cell.empty() || cell.front() < '0' || cell.front() > '9') return false;
  const std::size_t unit = std::min(cell.find_first_not_of("0123456789.,"), cell.size());
  if (std::count(cell.begin(), cell.begin() + static_cast<std::ptrdiff_t>(unit), '.') > 1) return false;
  cell.remove_prefix(unit);
  const std::size_t exponent = cell.find_first_not_of("eE+-");
  if (exponent != std::string_view::npos && exponent > 0 && cell[exponent] >= '0' && cell[exponent] <= '9') {
    cell.remove_prefix(std::min(cell.find_first_not_of("0123456789", exponent), cell.size()));
  }
  return display_width(text::trim(cell)) <= 8 && cell.find_first_of("0123456789") == std::string_view::npos;
}

/// One line: line ends and tabs become blanks.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return text;
}

std::string repeat(std::string_view piece, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += piece;
  return out;
}

std::string padded(const std::string& cell, std::size_t width, bool right) {
  const std::string blank(width - display_width(cell), ' ');
  return right ? blank + cell : cell + blank;
}

std::string markdown_cell(const std::string& cell) {
  std::string out;
  for (const char c : one_line(cell)) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const std::uint32_t code = next_code(text);
    if (!contains(kNoWidth, code)) width += contains(kDoubleWidth, code) ? 2 : 1;
  }
  return width;
}

Table::Table(std::vector<std::string> header) : header_(std::move(header)), align_(header_.size(), Align::automatic) {}

Table& Table::row(std::vector<std::string> cells) {
  FILIGREE_ASSERT(cells.size() == header_.size());
  rows_.push_back(std::move(cells));
  return *this;
}

Table& Table::rule() {
  rules_.push_back(rows_.size());
  return *this;
}

Table& Table::align(std::size_t column, Align align) {
  FILIGREE_ASSERT(column < align_.size());
  align_[column] = align;
  return *this;
}

bool Table::right_aligned(std::size_t column) const {
  if (align_[column] != Align::automatic) return align_[column] == Align::right;
  const auto numeric = [column](const auto& row) { return looks_numeric(row[column]); };
  const auto given = [column](const auto& row) { return !text::trim(row[column]).empty(); };
  return std::any_of(rows_.begin(), rows_.end(), given) && std::all_of(rows_.begin(), rows_.end(), numeric);
}

std::string Table::text() const {
  std::vector<std::size_t> widths(header_.size());
  std::vector<bool> right(header_.size());
  for (std::size_t i = 0; i < header_.size(); ++i) {
    widths[i] = display_width(one_line(header_[i]));
    for (const auto& cells : rows_) widths[i] = std::max(widths[i], display_width(one_line(cells[i])));
    right[i] = right_aligned(i);
  }
  std::string out;
  const auto add = [&out](std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  };
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string joined;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      joined += (i > 0 ? "  " : "") + padded(one_line(cells[i]), widths[i], right[i]);
    }
    add(joined);
  };
  std::string rule;
  for (std::size_t i = 0; i < widths.size(); ++i) rule += (i > 0 ? "  " : "") + repeat("─", widths[i]);
  line(header_);
  add(rule);
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    if (std::find(rules_.begin(), rules_.end(), r) != rules_.end()) add(rule);
    line(rows_[r]);
  }
  return out;
}

std::string Table::markdown() const {
  std::string out;
  const auto line = [&out](const std::vector<std::string>& cells) {
    for (const std::string& cell : cells) out += "| " + markdown_cell(cell) + " ";
    out += "|\n";
  };
  line(header_);
  for (std::size_t i = 0; i < header_.size(); ++i) out += right_aligned(i) ? "| ---: " : "| --- ";
  out += "|\n";
  for (const auto& cells : rows_) line(cells);
  return out;
}

std::string Table::html() const {
  std::vector<std::string_view> open(header_.size());
  for (std::size_t i = 0; i < header_.size(); ++i) open[i] = right_aligned(i) ? " class=\"num\">" : ">";
  std::string out = "<table>\n<thead><tr>";
  for (std::size_t i = 0; i < header_.size(); ++i) out += fmt::format("<th{}{}</th>", open[i], escape_html(header_[i]));
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& cells : rows_) {
    out += "<tr>";
    for (std::size_t i = 0; i < cells.size(); ++i) out += fmt::format("<td{}{}</td>", open[i], escape_html(cells[i]));
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n";
}

}  // namespace filigree
