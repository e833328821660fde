#include "base/csv.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/expect_error.h"

namespace filigree {
namespace {

using Rows = std::vector<std::vector<std::string>>;

TEST(Csv, ReadsHeaderRowsAndLines) {
  const Csv csv = parse_csv("op,ms\nmatmul,1.5\nsoftmax,0.25\n", "ops.csv");
  EXPECT_EQ(csv.header, (std::vector<std::string>{"op", "ms"}));
  EXPECT_EQ(csv.rows, (Rows{{"matmul", "1.5"}, {"softmax", "0.25"}}));
  EXPECT_EQ(csv.lines, (std::vector<int>{2, 3}));
  EXPECT_EQ(csv.where, "ops.csv");
  EXPECT_EQ(csv.num_rows(), 2u);
  EXPECT_TRUE(csv.has_column("ms"));
  EXPECT_FALSE(csv.has_column("s"));
  EXPECT_EQ(csv.column("ms"), 1u);
}

TEST(Csv, SkipsCommentsBeforeTheHeaderAndBlankLines) {
  const Csv csv = parse_csv("# made today\n\n  # twice\n a , b \r\n\r\n1,2\r\n   \n#3,4", "x.csv");
  EXPECT_EQ(csv.header, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(csv.rows, (Rows{{"1", "2"}, {"#3", "4"}}));
  EXPECT_EQ(csv.lines, (std::vector<int>{6, 8}));
}

TEST(Csv, ReadsQuotesAndByteOrderMark) {
  const Csv csv =
      parse_csv("\xEF\xBB\xBFname,note\n\"a,b\",\"say \"\"hi\"\"\"\n\"two\nlines\",\"\"\nlast,x\r", "x.csv");
  EXPECT_EQ(csv.header.front(), "name");
  EXPECT_EQ(csv.rows, (Rows{{"a,b", "say \"hi\""}, {"two\nlines", ""}, {"last", "x"}}));
  EXPECT_EQ(csv.lines, (std::vector<int>{2, 3, 5}));
}

TEST(Csv, KeepsEmptyFieldsAndAllowsAHeaderAlone) {
  EXPECT_EQ(parse_csv("a,b,c\n,,\n", "x").rows, (Rows{{"", "", ""}}));
  EXPECT_EQ(parse_csv("a,b,c", "x").num_rows(), 0u);
}

TEST(Csv, ReadsNumbers) {
  const Csv csv = parse_csv("i,x\n7, 1e-3 \n1e6,\n3.0,N/A\n-9007199254740993,-2\n", "x.csv");
  EXPECT_EQ(csv.integer(0, "i"), 7);
  EXPECT_EQ(csv.integer(1, "i"), 1000000);
  EXPECT_EQ(csv.integer(2, "i"), 3);
  EXPECT_EQ(csv.integer(3, "i"), -9007199254740993);
  EXPECT_EQ(csv.number(0, "x"), 1e-3);
  EXPECT_EQ(csv.optional_number(0, "x"), 1e-3);
  EXPECT_EQ(csv.optional_number(1, "x"), std::nullopt);
  EXPECT_EQ(csv.optional_number(2, "x"), std::nullopt);
  EXPECT_EQ(csv.text(2, "x"), "N/A");
}

TEST(Csv, NamesTheFieldThatIsNoNumber) {
  const Csv csv = parse_csv("i,x\n7.5,fast\n\n1e300,nan\n", "ops.csv");
  EXPECT_ERROR(csv.number(0, "x"), "ops.csv: line 2, column 'x': expected a number, got 'fast'");
  EXPECT_ERROR(csv.optional_number(0, "x"), "ops.csv: line 2, column 'x': expected a number, got 'fast'");
  EXPECT_ERROR(csv.number(1, "x"), "ops.csv: line 4, column 'x': expected a number, got 'nan'");
  EXPECT_ERROR(csv.integer(0, "i"), "ops.csv: line 2, column 'i': expected a whole number, got '7.5'");
  EXPECT_ERROR(csv.integer(1, "i"), "ops.csv: line 4, column 'i': expected a whole number, got '1e300'");
}

TEST(Csv, NamesTheColumnThatIsNotThere) {
  const Csv csv = parse_csv("time_ms,size\n1,2\n", "ops.csv");
  EXPECT_ERROR(csv.number(0, "time_m"),
               "ops.csv: has no column 'time_m'; did you mean 'time_ms'? (columns: time_ms, size)");
  EXPECT_ERROR(csv.column("bandwidth"), "ops.csv: has no column 'bandwidth' (columns: time_ms, size)");
}

TEST(Csv, RefusesRaggedRows) {
  EXPECT_ERROR(parse_csv("a,b,c\n1,2,3\n4,5\n", "x.csv"),
               "x.csv: line 3: column 'c' is missing; the row has 2 fields, expected 3");
  EXPECT_ERROR(parse_csv("a,b\n1,2,3,4\n", "x.csv"),
               "x.csv: line 2: field 3 ('3') is beyond the last column 'b'; the row has 4 fields, expected 2");
}

TEST(Csv, RefusesBadHeaders) {
  EXPECT_ERROR(parse_csv("", "x.csv"), "x.csv: is empty, expected a line with column names");
  EXPECT_ERROR(parse_csv("# only this\n\n", "x.csv"), "x.csv: is empty, expected a line with column names");
  EXPECT_ERROR(parse_csv("#\na, ,c\n", "x.csv"), "x.csv: line 2: column 2 of the header has no name");
  EXPECT_ERROR(parse_csv("a,b,a\n", "x.csv"), "x.csv: line 1: column 'a' appears twice in the header");
}

TEST(Csv, RefusesQuotesOutOfPlace) {
  EXPECT_ERROR(parse_csv("a,b\n1,\"open\n2,3\n", "x.csv"), "x.csv: line 2, field 2: the quote is never closed");
  EXPECT_ERROR(parse_csv("a,b\n1,5\" disk\n", "x.csv"),
               "x.csv: line 2, field 2: has a quote in the middle; put the whole field in quotes and write \"\" for a "
               "quote");
  EXPECT_ERROR(parse_csv("a,b\n\"1\"x,2\n", "x.csv"),
               "x.csv: line 2, field 1: 'x' follows the closing quote, expected a comma or the end of the line");
}

TEST(Csv, ARowBeyondTheEndIsOurMistake) {
  const Csv csv = parse_csv("a\n1\n", "x.csv");
  EXPECT_THROW(csv.text(1, "a"), std::logic_error);
}

TEST(Csv, WritesWhatItReads) {
  const std::vector<std::string> header{"#name", "a,b"};
  const Rows rows{{"say \"hi\"", ""}, {" spaced ", "two\nlines"}, {"plain", "-1.5"}, {"", ""}};
  const std::string text = to_csv(header, rows);
  EXPECT_EQ(text, "\"#name\",\"a,b\"\n\"say \"\"hi\"\"\",\n\" spaced \",\"two\nlines\"\nplain,-1.5\n,\n");
  const Csv csv = parse_csv(text, "x.csv");
  EXPECT_EQ(csv.header, header);
  EXPECT_EQ(csv.rows, rows);
  EXPECT_EQ(parse_csv(to_csv({"a"}, {{""}, {"x"}}), "x.csv").rows, (Rows{{""}, {"x"}}));
  const std::string marked = "\xEF\xBB\xBFz";  // a byte order mark is part of the name only inside quotes
  EXPECT_EQ(parse_csv(to_csv({marked}, {{"1"}}), "x.csv").header.front(), marked);
  EXPECT_THROW(to_csv({"a"}, {{"1", "2"}}), std::logic_error);
}

TEST(Csv, ReadsAFile) {
  const std::string path = testing::TempDir() + "filigree_csv_test.csv";
  std::ofstream(path) << "a,b\n1,2\n";
  EXPECT_EQ(read_csv(path).where, path);
  EXPECT_EQ(read_csv(path).integer(0, "b"), 2);
  std::remove(path.c_str());
  EXPECT_ERROR(read_csv(path), path + ": cannot be opened (No such file or directory)");
}

}  // namespace
}  // namespace filigree
