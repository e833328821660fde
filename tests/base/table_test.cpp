#include "base/table.h"

#include <gtest/gtest.h>

namespace filigree {
namespace {

TEST(Table, WritesColumns) {
  Table table({"layout", "step ms"});
  table.row({"tp8 pp16", "4,812"}).row({"tp4 pp32", "812"});
  EXPECT_EQ(table.text(),
            "layout    step ms\n"
            "────────  ───────\n"
            "tp8 pp16    4,812\n"
            "tp4 pp32      812\n");
  EXPECT_EQ(table.num_rows(), 2u);
  EXPECT_EQ(table.header().front(), "layout");
  EXPECT_EQ(table.rows().back().front(), "tp4 pp32");
}

TEST(Table, TellsNumbersFromText) {
  // The second column is wider than any cell; a right-aligned cell begins with a blank.
  const auto right = [](const std::vector<std::string>& cells) {
    Table table({"0123456789abcdef"});
    for (const std::string& cell : cells) table.row({cell});
    const std::string text = table.text();
    return text[text.find("\n", text.find("\n") + 1) + 1] == ' ';
  };
  for (const char* number :
       {"1", "-1,234.5", "3e-5", "1.2E+10", "≈ 12.5 GB", "45 %", "1.8x", "<1", "± 2", "12.3 GB/s", "5 µs", "1e6 B"}) {
    EXPECT_TRUE(right({number, "–", "", "n/a"})) << number;
  }
  for (const char* word : {"tp8", "2024-01-05", "8 x 4", "v1.2", "1.2.3-beta", "8 times as fast", "x", "+", "e5"}) {
    EXPECT_FALSE(right({word, "12"})) << word;
  }
  EXPECT_FALSE(right({"", ""}));
}

TEST(Table, AlignmentCanBeOverruled) {
  Table table({"name", "count"});
  table.row({"a", "1"}).align(0, Align::right).align(1, Align::left);
  EXPECT_EQ(table.text(), "name  count\n────  ─────\n   a  1\n");
}

TEST(Table, CountsColumnsOfUnicodeText) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("µs ≥ é"), 6u);
  EXPECT_EQ(display_width("e\u0301"), 1u);
  EXPECT_EQ(display_width("盘古"), 4u);
  EXPECT_EQ(display_width("🙂"), 2u);
  EXPECT_EQ(display_width("\xFF\x80 \xE2\x82"), 5u);  // not UTF-8: one for each byte
  EXPECT_EQ(display_width(""), 0u);
  Table table({"a", "b"});
  table.row({"盘古", "x"}).row({"é", "y"});
  EXPECT_EQ(table.text(), "a     b\n────  ─\n盘古  x\né     y\n");
}

TEST(Table, KeepsALineALine) {
  Table table({"a", "b"});
  table.row({"x\ty\n", "z"});
  EXPECT_EQ(table.text(), "a     b\n────  ─\nx y   z\n");
}

TEST(Table, DrawsRules) {
  Table table({"part", "ms"});
  table.row({"a", "1"}).rule().row({"sum", "1"});
  EXPECT_EQ(table.text(), "part  ms\n────  ──\na      1\n────  ──\nsum    1\n");
  EXPECT_EQ(table.markdown(), "| part | ms |\n| --- | ---: |\n| a | 1 |\n| sum | 1 |\n");
}

TEST(Table, EscapesMarkdownAndHtml) {
  Table table({"a|b", "n"});
  table.row({"<x> & \"y\"\n", "1"});
  EXPECT_EQ(table.markdown(), "| a\\|b | n |\n| --- | ---: |\n| <x> & \"y\"  | 1 |\n");
  EXPECT_EQ(table.html(),
            "<table>\n<thead><tr><th>a|b</th><th class=\"num\">n</th></tr></thead>\n<tbody>\n"
            "<tr><td>&lt;x&gt; &amp; &quot;y&quot;\n</td><td class=\"num\">1</td></tr>\n</tbody>\n</table>\n");
}

TEST(Table, ARowOfAnotherLengthIsOurMistake) {
  Table table({"a", "b"});
  EXPECT_THROW(table.row({"1"}), std::logic_error);
  EXPECT_THROW(table.align(2, Align::left), std::logic_error);
}

TEST(Table, WithoutRowsHasAHeader) { EXPECT_EQ(Table({"a"}).text(), "a\n─\n"); }

}  // namespace
}  // namespace filigree
