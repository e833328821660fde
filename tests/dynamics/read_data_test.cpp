#include <cmath>
#include <filesystem>
#include <limits>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/random.h"
#include "dynamics/npy.h"
#include "dynamics/read_data.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

Dataset parse(std::string_view text, const ReadDataOptions& options = {}) {
  return parse_data_csv(text, "d.csv", options);
}

TEST(ReadData, ReadsAHeaderATimeAndCoordinates) {
  const Dataset data = parse("t,x,y\n1,1,2\n1.5,3,4\n2,+5,6e0\n");
  EXPECT_EQ(data.names, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(data.dt, 0.5);
  ASSERT_EQ(data.runs.size(), 1u);
  EXPECT_EQ(data.runs[0].start, 1);
  EXPECT_EQ(data.runs[0].states, (Matrix{{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}}));
}

TEST(ReadData, TheTimeColumnMayBeNamed) {
  const Dataset data = parse("x,seconds\n1,0\n2,0.1\n", {.time = "seconds"});
  EXPECT_EQ(data.names, std::vector<std::string>{"x"});
  EXPECT_DOUBLE_EQ(data.dt, 0.1);
  EXPECT_EQ(parse("x,Time\n1,0\n2,0.25\n").dt, 0.25);
}

TEST(ReadData, APlainColumnOfNumbersNeedsNoHeader) {
  const Matrix expected{{1.0}, {2.5}, {-3.0}};
  EXPECT_EQ(parse("1\n2.5\n-3\n").runs[0].states, expected);
  EXPECT_EQ(parse("1\r\n2.5\r\n-3").runs[0].states, expected);
  EXPECT_EQ(parse("\xEF\xBB\xBF# made by hand\n\n1\n2.5\n-3\n").runs[0].states, expected);
  EXPECT_EQ(parse("value\n1\n2.5\n-3\n").runs[0].states, expected);
  EXPECT_EQ(parse("1\n2\n").names, std::vector<std::string>{"x"});
  EXPECT_EQ(parse("1,2\n3,4\n").names, (std::vector<std::string>{"x0", "x1"}));
  EXPECT_EQ(parse("1\n2\n", {.dt = 0.1}).dt, 0.1);
}

TEST(ReadData, RunsAndControlsHaveTheirColumns) {
  const Dataset data = parse("run,t,x,u\na,0,1,9\na,1,2,8\nb,5,3,7\nb,6,4,6\nb,7,5,5\n", {.controls = {"u"}});
  ASSERT_EQ(data.runs.size(), 2u);
  EXPECT_EQ(data.control_names, std::vector<std::string>{"u"});
  EXPECT_EQ(data.runs[1].states, (Matrix{{3.0}, {4.0}, {5.0}}));
  EXPECT_EQ(data.runs[1].controls, (Matrix{{7.0}, {6.0}, {5.0}}));
  EXPECT_EQ(data.runs[1].start, 5);
}

TEST(ReadData, ColumnsMayBeChosen) {
  const Dataset data = parse("a,b,note\n1,2,x\n3,4,y\n", {.columns = {"b"}});
  EXPECT_EQ(data.runs[0].states, (Matrix{{2.0}, {4.0}}));
}

TEST(ReadData, MissingValuesAreErrorsUnlessAskedOtherwise) {
  const char* text = "t,x\n0,0\n1,1\n2,\n3,27\n4,64\n5,nan\n6,216\n";
  EXPECT_ERROR(parse(text),
               "d.csv: line 4, column 'x': the value is missing; fill it in, or ask to interpolate or to split the run "
               "there");
  const Dataset filled = parse(text, {.missing = Missing::interpolate});
  // Cubes, which a cubic meets.
  EXPECT_NEAR(filled.runs[0].states(2, 0), 8, 1e-12);
  EXPECT_NEAR(filled.runs[0].states(5, 0), 125, 1e-12);
  const Dataset split = parse(text, {.missing = Missing::split});
  ASSERT_EQ(split.runs.size(), 2u);
  EXPECT_EQ(split.runs[1].states, (Matrix{{27.0}, {64.0}}));
  EXPECT_EQ(split.runs[1].start, 3);
  EXPECT_ERROR(parse("x\n1\n2\nn/a\n", {.missing = Missing::interpolate}),
               "d.csv: line 4, column 'x': the value is missing and there is none after it to interpolate from; remove "
               "the row");
  EXPECT_ERROR(
      parse("x\nNaN\n2\n3\n", {.missing = Missing::interpolate}),
      "d.csv: line 2, column 'x': the value is missing and there is none before it to interpolate from; remove "
      "the row");
  EXPECT_ERROR(parse("x\n1\nnan\n3\n", {.missing = Missing::split}),
               "d.csv: no two neighbouring samples are complete; interpolate the missing values instead of splitting");
}

TEST(ReadData, UnequalStepsAreErrorsUnlessResampled) {
  const char* text = "t,x\n0,0\n1,1\n2.5,15.625\n3,27\n4,64\n5,125\n";
  EXPECT_ERROR(parse(text),
               "d.csv: line 4: the step of time is 1.5 where the others are 1 (they may differ by 0.001 of it); ask to "
               "resample, or split the file there");
  const Dataset even = parse(text, {.resample = true});
  ASSERT_EQ(even.runs[0].states.rows(), 6);
  EXPECT_NEAR(even.runs[0].states(2, 0), 8, 1e-12);
  const Dataset fine = parse(text, {.resample = true, .dt = 0.5});
  ASSERT_EQ(fine.runs[0].states.rows(), 11);
  EXPECT_NEAR(fine.runs[0].states(9, 0), 91.125, 1e-10);
  EXPECT_ERROR(parse(text, {.resample = true, .dt = 9.0}),
               "d.csv: line 2: a run of length 5 cannot be resampled at steps of 9; give another step");
  // Times that were rounded when written are equal enough.
  EXPECT_NEAR(parse("t,x\n0.0000,1\n0.3333,2\n0.6667,3\n1.0000,4\n").dt, 1.0 / 3, 1e-12);
}

TEST(ReadData, TimeMustGrow) {
  EXPECT_ERROR(parse("t,x\n0,1\n2,1\n1,1\n"),
               "d.csv: line 4: the time 1 does not come after 2 of line 3; sort the rows and remove repeated ones");
  EXPECT_ERROR(parse("t,x\n0,1\n0,1\n"),
               "d.csv: line 3: the time 0 does not come after 0 of line 2; sort the rows and remove repeated ones");
  EXPECT_ERROR(parse("t,x\n0,1\n,1\n"), "d.csv: line 3: the time is missing; it cannot be filled in");
}

TEST(ReadData, BadFieldsAreNamed) {
  EXPECT_ERROR(parse("t,x,y\n0,1,2\n1,abc,3\n"), "d.csv: line 3, column 'x': expected a number, got 'abc'");
  EXPECT_ERROR(parse("x\n1\n2\ninf\n"),
               "d.csv: line 4, column 'x': 'inf' is not a finite number; remove the row or leave the field empty");
  EXPECT_ERROR(parse("1\n2\nfoo\n"), "d.csv: line 3, column 'x': expected a number, got 'foo'");
  EXPECT_ERROR(parse("-inf\n2\n"),
               "d.csv: line 1, column 'x': '-inf' is not a finite number; remove the row or leave the field empty");
  EXPECT_ERROR(parse("x\n1\n1e999\n"), "d.csv: line 3, column 'x': expected a number, got '1e999'");
}

TEST(ReadData, RaggedRowsAreNamed) {
  EXPECT_ERROR(parse("x,y\n1,2\n3\n"), "d.csv: line 3: column 'y' is missing; the row has 1 fields, expected 2");
  EXPECT_ERROR(parse("1,2\n\n3,4,5\n"), "d.csv: line 3: the row has 3 fields, expected 2 as in line 1");
}

TEST(ReadData, EmptyAndTooShortFilesAreRefused) {
  EXPECT_ERROR(parse(""), "d.csv: is empty, expected a line with column names");
  EXPECT_ERROR(parse("x,y\n"), "d.csv: has a header but no row of numbers");
  EXPECT_ERROR(parse("x\n1\n"), "d.csv: the file has 1 sample; at least 2 are needed");
  EXPECT_ERROR(parse("run,x\na,1\na,2\nb,3\n"), "d.csv: run 'b' has 1 sample; at least 2 are needed");
  EXPECT_ERROR(parse("run,x\n ,1\n"), "d.csv: line 2, column 'run': the run has no name");
}

TEST(ReadData, WrongColumnsAreRefused) {
  EXPECT_ERROR(parse("x,speed\n1,2\n", {.controls = {"sped"}}),
               "d.csv: has no column 'sped'; did you mean 'speed'? (columns: x, speed)");
  EXPECT_ERROR(parse("x,y\n1,2\n", {.controls = {"x"}, .columns = {"x"}}),
               "d.csv: column 'x' is asked for twice, also as a coordinate");
  EXPECT_ERROR(parse("t,run\n1,2\n"), "d.csv: has no column of a coordinate (columns: t, run)");
}

Dataset two_runs() {
  return {{"x", "y"},
          {},
          0.1,
          {{Matrix{{0.1, 1.0 / 3}, {2.0, 3e-300}}, {}, 0.5, 0}, {Matrix{{-1.0, 5.0}, {6.0, 7.0}}, {}, 2, 0}}};
}

TEST(ReadData, WhatIsWrittenAsCsvIsReadAgain) {
  const Dataset read = parse(data_csv(two_runs()));
  ASSERT_EQ(read.runs.size(), 2u);
  EXPECT_EQ(read.runs[0].states, two_runs().runs[0].states);
  EXPECT_EQ(read.runs[1].start, 2);
  EXPECT_NEAR(read.dt, 0.1, 1e-15);
  Dataset driven = two_runs();
  driven.runs.pop_back();
  driven.control_names = {"u"};
  driven.runs[0].controls = Matrix{{5.0}, {6.0}};
  EXPECT_EQ(data_csv(driven), "t,x,y,u\n0.5,0.1,0.3333333333333333,5\n0.6,2,3e-300,6\n");
  EXPECT_EQ(parse(data_csv(driven), {.controls = {"u"}}).runs[0].controls, driven.runs[0].controls);
}

class Files : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / "filigree_read_data";
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(Files, AreWrittenAndReadByTheirEnding) {
  write_data(folder_ / "a.npy", two_runs());
  const Dataset read = read_data(folder_ / "a.npy", {.dt = 0.1});
  ASSERT_EQ(read.runs.size(), 2u);
  EXPECT_EQ(read.names, (std::vector<std::string>{"x0", "x1"}));
  EXPECT_EQ(read.runs[1].states, two_runs().runs[1].states);
  EXPECT_EQ(read.dt, 0.1);
  write_data(folder_ / "a.csv", two_runs());
  EXPECT_EQ(read_data(folder_ / "a.csv", {}).runs[0].states, two_runs().runs[0].states);
}

TEST_F(Files, NpyRefusesWhatItCannotHold) {
  Dataset uneven = two_runs();
  uneven.runs[1].states = Matrix{{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}};
  const std::string path = (folder_ / "b.npy").string();
  EXPECT_ERROR(write_data(path, uneven), path + ": an NPY file cannot hold runs of 2 and of 3 samples; write CSV");
  Dataset driven = two_runs();
  driven.control_names = {"u"};
  for (Trajectory& run : driven.runs) run.controls = Matrix::Zero(2, 1);
  EXPECT_ERROR(write_data(path, driven), path + ": an NPY file has no place for controls; write CSV");
  EXPECT_FALSE(std::filesystem::exists(path));
}

/// An NPY file of version 1 with this dictionary and these bytes.
std::string npy(const std::string& dictionary, const std::string& numbers) {
  std::string bytes = "\x93NUMPY";
  bytes += {'\1', '\0', static_cast<char>(dictionary.size()), '\0'};
  return bytes + dictionary + numbers;
}

std::string floats(std::initializer_list<float> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(float)};
}

TEST(Npy, ReadsWhatNumpyWrites) {
  // numpy.save of numpy.arange(3, dtype='<f4').
  const NpyArray array = parse_npy(
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }          \n", floats({0, 1, 2})), "a.npy");
  EXPECT_EQ(array.shape, std::vector<std::int64_t>{3});
  EXPECT_EQ(array.values, (std::vector<double>{0, 1, 2}));
}

TEST(Npy, FortranOrderIsTurned) {
  const std::string bytes =
      npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", floats({0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(parse_npy(bytes, "a.npy").values, (std::vector<double>{0, 1, 2, 3, 4, 5}));
}

TEST(Npy, BigEndianAndVersionTwoAreRead) {
  const std::string dictionary = "{'descr': '>f8', 'fortran_order': False, 'shape': (1,), }\n";
  std::string bytes = "\x93NUMPY";
  bytes += {'\2', '\0', static_cast<char>(dictionary.size()), '\0', '\0', '\0'};
  bytes += dictionary + std::string("\x3F\xF8\0\0\0\0\0\0", 8);
  EXPECT_EQ(parse_npy(bytes, "a.npy").values, std::vector<double>{1.5});
}

TEST(Npy, WhatIsWrittenIsReadAgain) {
  const NpyArray array{{2, 1, 3}, {1, 2, 3, 4, 5, 1e-310}};
  const std::string bytes = npy_bytes(array);
  EXPECT_EQ((bytes.size() - 6 * 8) % 64, 0u);
  EXPECT_EQ(parse_npy(bytes, "a.npy").values, array.values);
  EXPECT_EQ(parse_npy(bytes, "a.npy").shape, array.shape);
}

TEST(Npy, DamagedFilesAreRefused) {
  EXPECT_ERROR(parse_npy("hello", "a.npy"), "a.npy: is not an NPY file (it does not begin with '\\x93NUMPY')");
  EXPECT_ERROR(parse_npy("\x93NUMPY", "a.npy"), "a.npy: ends within the NPY header; the file is cut short");
  EXPECT_ERROR(parse_npy(std::string("\x93NUMPY\x09\0", 8), "a.npy"), "a.npy: has NPY version 9, expected 1 to 3");
  EXPECT_ERROR(parse_npy(std::string("\x93NUMPY\x01\0\xFF\xFF{", 11), "a.npy"),
               "a.npy: ends within the NPY header; the file is cut short");
  EXPECT_ERROR(parse_npy(npy("{'fortran_order': False}", ""), "a.npy"),
               "a.npy: the NPY header has no 'descr'; the file is damaged");
  EXPECT_ERROR(parse_npy(npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1,)}", ""), "a.npy"),
               "a.npy: holds numbers of type '<i8', expected float32 or float64 ('<f4', '<f8')");
  EXPECT_ERROR(parse_npy(npy("{'descr': '<f8', 'fortran_order': False, 'shape': 3}", ""), "a.npy"),
               "a.npy: the shape in the NPY header is not a tuple; the file is damaged");
  EXPECT_ERROR(parse_npy(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}", ""), "a.npy"),
               "a.npy: the shape in the NPY header has the size '-3'; the file is damaged");
  EXPECT_ERROR(parse_npy(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", floats({1, 2})), "a.npy"),
               "a.npy: holds 8 bytes of numbers where its shape and type ask for 12; the file is cut short");
  EXPECT_ERROR(parse_npy(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", floats({1, 2})), "a.npy"),
               "a.npy: holds 8 bytes of numbers where its shape and type ask for 4; the file is damaged");
  EXPECT_ERROR(
      parse_npy(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 1099511627776)}", ""), "a.npy"),
      "a.npy: holds 0 bytes of numbers where its shape and type ask for 8796093022208; the file is cut short");
}

TEST(Npy, DataOfWrongShapeOrValueAreRefused) {
  const auto read = [](const NpyArray& array) { return parse_data_npy(npy_bytes(array), "a.npy", {}); };
  EXPECT_ERROR(read({{}, {1}}),
               "a.npy: has 0 axes, expected 1 (samples), 2 (samples, columns) or 3 (runs, samples, columns)");
  EXPECT_ERROR(read({{0, 3}, {}}), "a.npy: has no numbers: one of its axes has size 0");
  EXPECT_ERROR(read({{1, 2}, {1, 2}}), "a.npy: the file has 1 sample; at least 2 are needed");
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_ERROR(read({{2, 2}, {1, 2, 3, inf}}), "a.npy: sample 2, column 'x1': inf is not a finite number");
  EXPECT_ERROR(
      read({{2, 2, 1}, {1, 2, 3, nan}}),
      "a.npy: run 2, sample 2, column 'x': the value is missing; fill it in, or ask to interpolate or to split "
      "the run there");
  EXPECT_EQ(read({{3}, {1, 2, 3}}).runs[0].states, (Matrix{{1.0}, {2.0}, {3.0}}));
}

TEST(Npy, NoDamageCrashesTheReader) {
  const std::string whole = npy_bytes({{2, 2}, {1, 2, 3, 4}});
  Random random(11);
  int read = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = whole.substr(0, static_cast<std::size_t>(random.below(whole.size() + 1)));
    if (i % 2 == 0) bytes = whole;
    for (std::uint64_t flips = random.below(4); flips > 0 && !bytes.empty(); --flips) {
      bytes[static_cast<std::size_t>(random.below(std::min<std::size_t>(bytes.size(), 90)))] =
          static_cast<char>(random.below(256));
    }
    try {
      static_cast<void>(parse_data_npy(bytes, "a.npy", {}));
      ++read;
    } catch (const Error&) {
    }
  }
  EXPECT_GT(read, 100);
}

TEST(ReadData, NoDamageCrashesTheReader) {
  const std::string whole = "run,t,x,u\na,0,1,9\na,1,2,8\nb,5,3,7\nb,6,4,\n";
  Random random(12);
  for (int i = 0; i < 20000; ++i) {
    std::string text = whole;
    for (std::uint64_t flips = 1 + random.below(4); flips > 0; --flips) {
      text[static_cast<std::size_t>(random.below(text.size()))] = ",\n\"#-.0e1naif\r\t "[random.below(17)];
    }
    try {
      static_cast<void>(parse(text, {.missing = Missing::split, .resample = i % 2 == 0}));
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace filigree::dynamics
