#include "base/json.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/config.h"
#include "support/expect_error.h"

namespace filigree {
namespace {

using test::Brush;
using test::Colour;
using test::Paint;

Paint read(const std::string& text) { return from_json<Paint>(parse_json(text, "p.json"), "p.json"); }

/// The config with one more field, written as JSON.
Paint read_with(const std::string& field) { return read(R"({"name": "x", "colour": "blue", )" + field + "}"); }

TEST(Json, KeepsTheOrderOfKeys) {
  const Json json = parse_json(R"({"b": 1, "a": [1, 2]})", "x");
  EXPECT_EQ(to_text(json), "{\n  \"b\": 1,\n  \"a\": [\n    1,\n    2\n  ]\n}\n");
}

TEST(Json, SortsTheKeysOfManyWhereAsked) {
  std::string text = "{";
  for (int i = 30'000; i > 0; --i) text += fmt::format("\"{:05}\": {{}}{}", i, i > 1 ? "," : "}");
  const SortedJson json = parse_sorted_json(text, "x");
  EXPECT_EQ(json.size(), 30'000u);
  EXPECT_EQ(json.begin().key(), "00001");
  EXPECT_ERROR(parse_sorted_json(R"({"a": 1, "a": 2})", "x.json"), "x.json: key 'a' appears twice in one object");
}

TEST(Json, NamesWhereTheTextIsBroken) {
  EXPECT_ERROR(parse_json(" \n", "x.json"), "x.json: is empty, expected JSON");
  EXPECT_ERROR(parse_json("{\"a\": 1,\n  \"b\" 2}", "x.json"),
               "x.json: is not valid JSON: unexpected text at line 2, column 7");
  EXPECT_ERROR(parse_json("{\"a\": [1, 2", "x.json"),
               "x.json: is not valid JSON: it ends too early at line 1, column 11");
  EXPECT_ERROR(parse_json("{\"a\": 1} x", "x.json"), "x.json: is not valid JSON: unexpected text at line 1, column 10");
  EXPECT_ERROR(parse_json("1e999", "x.json"),
               "x.json: is not valid JSON: a number or a text in it cannot be represented");
  EXPECT_THROW(parse_json("\"\xFF\"", "x.json"), Error);
}

TEST(Json, RefusesKeysThatAppearTwice) {
  EXPECT_ERROR(parse_json(R"({"a": {"b": 1, "b": 2}})", "x.json"), "x.json: key 'b' appears twice in one object");
  EXPECT_NO_THROW(parse_json(R"({"a": {"b": 1}, "c": {"b": 2}})", "x.json"));
}

TEST(Json, RefusesDeepNesting) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NO_THROW(parse_json(nested(60), "x.json"));
  EXPECT_ERROR(parse_json(nested(100), "x.json"), "x.json: is nested deeper than 64 levels");
  EXPECT_ERROR(parse_json(nested(1000000), "x.json"), "x.json: is nested deeper than 64 levels");
}

TEST(Json, ReadsEveryKindOfField) {
  const Paint paint = read(R"({"name": "wall", "colour": "dark-red", "share": 1, "glossy": true, "drops": 1e6,
      "heat": 20.5, "coats": [1, 2], "parts": {"oil": 0.5}, "brushes": [{"width": 3}, {"width": 4, "hair": "ox"}]})");
  Paint expected;
  expected.name = "wall";
  expected.colour = Colour::dark_red;
  expected.share = 1;
  expected.glossy = true;
  expected.drops = 1000000;
  expected.heat = 20.5;
  expected.coats = {1, 2};
  expected.parts = {{"oil", 0.5}};
  expected.brushes = {Brush{3, "pig"}, Brush{4, "ox"}};
  EXPECT_EQ(paint, expected);
  EXPECT_EQ(from_json<Paint>(to_json(paint), "again"), paint);
}

TEST(Json, LeavesOutWhatIsNotSet) {
  const Paint paint = read(R"({"name": "x", "colour": "blue", "heat": null})");
  EXPECT_EQ(paint.heat, std::nullopt);
  EXPECT_EQ(paint.drops, 7);
  EXPECT_FALSE(to_json(paint).contains("heat"));
  EXPECT_EQ(to_json(paint).begin().key(), "name");
}

TEST(Json, NamesMissingAndUnknownKeys) {
  EXPECT_ERROR(read(R"({"name": "x"})"), "p.json: key 'colour' is missing at the top level");
  EXPECT_ERROR(read(R"({"name": "x", "color": "blue"})"),
               "p.json: unknown key 'color' at the top level; did you mean 'colour'?");
  EXPECT_ERROR(read_with(R"("brushes": [{"width": 1}, {"hair": "ox"}])"),
               "p.json: key 'width' is missing in brushes[1]");
  EXPECT_ERROR(read_with(R"("brushes": [{"width": 1, "zzz": 0}])"), "p.json: unknown key 'zzz' in brushes[0]");
}

TEST(Json, NamesWrongTypes) {
  EXPECT_ERROR(read("[1]"), "p.json: the top level must be an object, got a list");
  EXPECT_ERROR(read_with(R"("share": "half")"), "p.json: share must be a number, got the text 'half'");
  EXPECT_ERROR(read_with(R"("glossy": 1)"), "p.json: glossy must be true or false, got the number 1");
  EXPECT_ERROR(read_with(R"("drops": 1.5)"), "p.json: drops must be a whole number, got the number 1.5");
  EXPECT_ERROR(read_with(R"("drops": true)"), "p.json: drops must be a whole number, got true");
  EXPECT_ERROR(read_with(R"("coats": {})"), "p.json: coats must be a list, got an object");
  EXPECT_ERROR(read_with(R"("coats": [1, null])"), "p.json: coats[1] must be a whole number, got null");
  EXPECT_ERROR(read_with(R"("parts": [])"), "p.json: parts must be an object, got a list");
  EXPECT_ERROR(read_with(R"("parts": {"oil": false})"), "p.json: parts.oil must be a number, got false");
  EXPECT_ERROR(read_with(R"("brushes": [3])"), "p.json: brushes[0] must be an object, got the number 3");
  EXPECT_ERROR(read(R"({"name": 5, "colour": "blue"})"), "p.json: name must be a text, got the number 5");
  EXPECT_ERROR(read(R"({"name": "x", "colour": 5})"), "p.json: colour must be a text, got the number 5");
}

TEST(Json, NamesWordsThatAreNone) {
  EXPECT_ERROR(read(R"({"name": "x", "colour": "bleu"})"),
               "p.json: colour cannot be 'bleu'; did you mean 'blue'? (one of: blue, dark-red)");
}

TEST(Json, NamesValuesOutOfBounds) {
  EXPECT_ERROR(read_with(R"("share": 1.5)"), "p.json: share must be between 0 and 1, got 1.5");
  EXPECT_ERROR(read_with(R"("drops": -1)"), "p.json: drops must be at least 0, got -1");
  EXPECT_ERROR(read_with(R"("heat": 0)"), "p.json: heat must be greater than 0, got 0");
  EXPECT_ERROR(read_with(R"("coats": [1, 0])"), "p.json: coats[1] must be at least 1, got 0");
  EXPECT_ERROR(read_with(R"("brushes": [{"width": 0}])"), "p.json: brushes[0].width must be at least 1, got 0");
  EXPECT_ERROR(read_with(R"("brushes": [{"width": 3000000000}])"),
               "p.json: brushes[0].width is out of range: 3000000000");
  EXPECT_ERROR(read_with(R"("drops": 9223372036854775808)"), "p.json: drops is out of range: 9223372036854775808");
}

TEST(Json, LoadsFiles) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "filigree_json_test.json";
  write_file(path, R"({"width": 2})");
  EXPECT_EQ(load_config<Brush>(path), (Brush{2, "pig"}));
  EXPECT_EQ(load_json(path).at("width"), 2);
  write_file(path, R"({"width": 0})");
  EXPECT_ERROR(load_config<Brush>(path), path.string() + ": width must be at least 1, got 0");
  std::filesystem::remove(path);
  EXPECT_ERROR(load_json(path), path.string() + ": cannot be opened (No such file or directory)");
}

TEST(Json, WritesTextThatIsNotUnicode) { EXPECT_EQ(to_text(Json("\xFF")), "\"\xEF\xBF\xBD\"\n"); }

}  // namespace
}  // namespace filigree
