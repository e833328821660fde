#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Tables for people, as text, Markdown or HTML.
namespace filigree {

/// How many columns of a terminal the UTF-8 text takes: 0 for combining marks, 2 for wide East Asian characters and
/// emoji, else 1. A byte that is not valid UTF-8 counts 1.
std::size_t display_width(std::string_view text);

enum class Align { automatic, left, right };

/// Rows of text below a header. A column whose cells are all numbers (with or without a unit) stands to the right.
///
///     Table table({"layout", "step ms"});
///     table.row({"tp8 pp16", "4,812"}).row({"tp4 pp32", "5,120"});
///     table.text();
///     layout    step ms
///     ────────  ───────
///     tp8 pp16    4,812
///     tp4 pp32    5,120
class Table {
 public:
  explicit Table(std::vector<std::string> header);

  /// Adds a row, which must be as long as the header.
  Table& row(std::vector<std::string> cells);

  /// A line between the rows before and after; HTML and Markdown leave it out.
  Table& rule();

  /// Overrules the alignment of one column.
  Table& align(std::size_t column, Align align);

  std::size_t num_rows() const { return rows_.size(); }
  const std::vector<std::string>& header() const { return header_; }
  const std::vector<std::vector<std::string>>& rows() const { return rows_; }

  /// Columns of equal width, for a terminal with a fixed-width font.
  std::string text() const;

  /// A GitHub-style Markdown table.
  std::string markdown() const;

  /// A <table> element; texts are escaped, right-aligned cells have class "num".
  std::string html() const;

 private:
  bool right_aligned(std::size_t column) const;

  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<Align> align_;
  std::vector<std::size_t> rules_;  // a rule stands before the row of this index
};

}  // namespace filigree
