#include "tensor/safetensors_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace filigree::tensor {
namespace {

/// Eight bytes of length before the text, zero bytes after it.
std::string file(const std::string& json, std::size_t data = 0) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(json.size() >> (8 * i) & 0xFF);
  return bytes + json + std::string(data, '\0');
}

/// The header of a file with one tensor, described by these members.
void parse_one(const std::string& members, std::size_t data = 8) {
  parse_safetensors_header(file("{\"w\":" + members + "}", data), "x");
}

TEST(SafeTensorsHeader, ReadsTensorsInTheOrderOfTheirBytes) {
  const auto header = parse_safetensors_header(
      file(
          R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,1],"data_offsets":[4,12]},)"
          R"("a":{"dtype":"BF16","shape":[],"data_offsets":[12,14]},"é":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},)"
          R"("none":{"dtype":"F64","shape":[9223372036854775807,0,5],"data_offsets":[4,4]}}   )",
          14),
      "x");
  ASSERT_EQ(header.tensors.size(), 4u);
  EXPECT_EQ(header.tensors[0], (StoredTensor{"é", StoredType::i32, {1}, 0, 4}));
  EXPECT_EQ(header.tensors[1].name, "none");
  EXPECT_EQ(header.tensors[2], (StoredTensor{"b", StoredType::f32, {2, 1}, 4, 12}));
  EXPECT_EQ(header.tensors[3], (StoredTensor{"a", StoredType::bf16, {}, 12, 14}));
  EXPECT_EQ(header.metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_TRUE(parse_safetensors_header(file("{}"), "x").tensors.empty());
}

TEST(SafeTensorsHeader, ReadsWhatItWrote) {
  const std::vector<StoredTensor> tensors = {{"q\"\\\n", StoredType::f8_e4m3, {3}, 0, 3},
                                             {"é", StoredType::i64, {2, 0}, 3, 3},
                                             {"", StoredType::boolean, {1, 1}, 3, 4}};
  const std::map<std::string, std::string> metadata = {{"a", "1"}, {"b", "\t"}};
  for (std::size_t pad = 0; pad < 8; ++pad) {
    auto padded = metadata;
    padded["pad"] = std::string(pad, '.');
    const std::string bytes = safetensors_header_bytes(tensors, padded);
    EXPECT_EQ(bytes.size() % 8, 0u);
    const auto header = parse_safetensors_header(bytes + std::string(4, '\0'), "x");
    EXPECT_EQ(header.tensors, tensors);
    EXPECT_EQ(header.metadata, padded);
    EXPECT_EQ(header.data_start, bytes.size());
  }
  EXPECT_EQ(safetensors_header_bytes({}, {}), file("{}      "));
  EXPECT_EQ(safetensors_header_bytes({{"w", StoredType::f32, {2}, 0, 8}}, {}),
            file(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  )"));
}

TEST(SafeTensorsHeader, KnowsTheSizeOfEveryType) {
  std::map<std::size_t, int> count;
  for (const auto& entry : EnumNames<StoredType>::table) ++count[bytes_of(entry.first)];
  EXPECT_EQ(count, (std::map<std::size_t, int>{{1, 5}, {2, 3}, {4, 2}, {8, 2}}));
}

TEST(SafeTensorsHeader, NamesAFileThatIsCutShort) {
  EXPECT_ERROR(
      parse_safetensors_header("", "x"),
      "x: has 0 bytes, fewer than the 8 that a safetensors file begins with; it is cut short or of another kind");
  EXPECT_ERROR(parse_safetensors_header(file("{}").substr(0, 9), "x"),
               "x: announces a header of 2 bytes, but only 1 follow; it is cut short or no safetensors file");
  EXPECT_ERROR(parse_safetensors_header(std::string(8, '\xFF'), "x"),
               "x: announces a header of 18446744073709551615 bytes, but only 0 follow; it is cut short or no "
               "safetensors file");
  const std::string whole = file(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THROW(parse_safetensors_header(whole.substr(0, length), "x"), Error) << length;
  }
  EXPECT_ERROR(parse_safetensors_header(whole.substr(0, whole.size() - 1), "x"),
               "x: tensor 'w' ends at byte 8 of the data, but the file holds only 7; it is cut short or damaged");
}

TEST(SafeTensorsHeader, RefusesAHeaderThatIsTooLong) {
  const std::string json = "{" + std::string(100'000'000, ' ') + "}";
  EXPECT_ERROR(parse_safetensors_header(file(json), "x"),
               "x: announces a header of 100000002 bytes, more than the 100000000 that the safetensors format allows");
}

TEST(SafeTensorsHeader, NamesWhatIsNotJson) {
  EXPECT_ERROR(parse_safetensors_header(file(""), "x"), "x: header: is empty, expected JSON");
  EXPECT_ERROR(parse_safetensors_header(file("{nonsense}"), "x"),
               "x: header: is not valid JSON: unexpected text at line 1, column 3");
  EXPECT_ERROR(parse_safetensors_header(file("[1]"), "x"), "x: header: must be a JSON object, got a list");
  EXPECT_ERROR(parse_safetensors_header(file("3"), "x"), "x: header: must be a JSON object, got 3");
}

TEST(SafeTensorsHeader, NamesWhatIsNotUtf8) {
  EXPECT_ERROR(parse_safetensors_header(file("{\"a\xFF\":1}"), "x"), "x: header: is not UTF-8 text (at its byte 3)");
  for (const char* good : {"", "a", "\u00e9", "\u20ac", "\U0001F600", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  // Continuation without lead, cut short, too long an encoding, surrogate, beyond the last code point.
  for (const char* bad :
       {"\x80", "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xF0\x80\x80\x80",
        "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x28\xA1", "\xF0\x9F\x98\x28"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
  }
}

TEST(SafeTensorsHeader, NamesDuplicates) {
  const std::string tensor = R"("w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  EXPECT_ERROR(parse_safetensors_header(file("{" + tensor + "," + tensor + "}", 8), "x"),
               "x: header: key 'w' appears twice in one object");
}

TEST(SafeTensorsHeader, NamesWhatATensorLacks) {
  EXPECT_ERROR(parse_one("7"),
               "x: tensor 'w' must be described by an object with dtype, shape and data_offsets, got 7");
  EXPECT_ERROR(parse_one(R"({"shape":[2],"data_offsets":[0,8]})"), "x: tensor 'w' has no 'dtype'");
  EXPECT_ERROR(parse_one(R"({"dtype":"F32","data_offsets":[0,8]})"), "x: tensor 'w' has no 'shape'");
  EXPECT_ERROR(parse_one(R"({"dtype":"F32","shape":[2]})"), "x: tensor 'w' has no 'data_offsets'");
  EXPECT_ERROR(parse_one(R"({"dtype":4,"shape":[2],"data_offsets":[0,8]})"),
               "x: tensor 'w': dtype must be a text, got 4");
  EXPECT_ERROR(
      parse_one(R"({"dtype":"F4","shape":[2],"data_offsets":[0,8]})"),
      "x: tensor 'w': dtype 'F4' is not known (one of: BOOL, U8, I8, F8_E5M2, F8_E4M3, I16, F16, BF16, I32, F32, "
      "F64, I64)");
  EXPECT_ERROR(parse_one(R"({"dtype":"F32","shape":2,"data_offsets":[0,8]})"),
               "x: tensor 'w': shape must be a list, got 2");
}

TEST(SafeTensorsHeader, NamesNumbersThatAreNone) {
  const std::string what = "must be a whole number from 0 to 2^63 - 1, got ";
  for (const char* bad : {"-1", "1.5", "9223372036854775808", "null", "true"}) {
    EXPECT_ERROR(parse_one(fmt::format(R"({{"dtype":"F32","shape":[{}],"data_offsets":[0,8]}})", bad)),
                 "x: tensor 'w': a size in its shape " + what + bad);
    EXPECT_ERROR(parse_one(fmt::format(R"({{"dtype":"F32","shape":[2],"data_offsets":[{},8]}})", bad)),
                 "x: tensor 'w': the begin of data_offsets " + what + bad);
    EXPECT_ERROR(parse_one(fmt::format(R"({{"dtype":"F32","shape":[2],"data_offsets":[0,{}]}})", bad)),
                 "x: tensor 'w': the end of data_offsets " + what + bad);
  }
  EXPECT_ERROR(parse_one(R"({"dtype":"F32","shape":["2"],"data_offsets":[0,8]})"),
               "x: tensor 'w': a size in its shape " + what + "a text");
  EXPECT_ERROR(parse_one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8,9]})"),
               "x: tensor 'w': data_offsets must be a list of two numbers");
  EXPECT_ERROR(parse_one(R"({"dtype":"F32","shape":[2],"data_offsets":{}})"),
               "x: tensor 'w': data_offsets must be a list of two numbers");
}

TEST(SafeTensorsHeader, NamesPlacesThatDoNotFit) {
  EXPECT_ERROR(parse_one(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"),
               "x: tensor 'w' ends at byte 0, before its begin at byte 8");
  EXPECT_ERROR(parse_one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,7]})", 7),
               "x: tensor 'w' takes 7 bytes, but its shape [2] of F32 needs 8");
  EXPECT_ERROR(parse_one(R"({"dtype":"F32","shape":[0,3],"data_offsets":[0,8]})"),
               "x: tensor 'w' takes 8 bytes, but its shape [0, 3] of F32 needs 0");
  EXPECT_ERROR(parse_one(R"({"dtype":"F32","shape":[2],"data_offsets":[8,16]})", 16),
               "x: no tensor covers bytes 0 to 8 of the data, before tensor 'w'");
  EXPECT_ERROR(parse_one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 11),
               "x: holds 3 bytes after its last tensor, 'w'");
  EXPECT_ERROR(parse_safetensors_header(file("{}", 2), "x"), "x: holds 2 bytes after its last tensor");
  EXPECT_ERROR(parse_safetensors_header(file(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                                             R"("b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}})",
                                             7),
                                        "x"),
               "x: tensors 'a' and 'b' overlap");
}

TEST(SafeTensorsHeader, RefusesShapesThatOverflow) {
  // The product of these is 2^64, which is 0 in 64 bits.
  EXPECT_ERROR(parse_one(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]})", 0),
               "x: tensor 'w' has the shape [4294967296, 4294967296], which is larger than any memory");
  EXPECT_ERROR(parse_one(R"({"dtype":"F64","shape":[1152921504606846976],"data_offsets":[0,0]})", 0),
               "x: tensor 'w' has the shape [1152921504606846976], which is larger than any memory");
  EXPECT_ERROR(bytes_of(StoredType::f32, {-1}, "x", "w"), "x: tensor 'w' has a negative size in its shape [-1]");
}

TEST(SafeTensorsHeader, NamesBadMetadata) {
  EXPECT_ERROR(parse_safetensors_header(file(R"({"__metadata__":[]})"), "x"),
               "x: __metadata__ must be an object of texts, got a list");
  EXPECT_ERROR(parse_safetensors_header(file(R"({"__metadata__":{"a":1}})"), "x"),
               "x: __metadata__: 'a' must be a text, got 1");
}

TEST(SafeTensorsHeader, ReadsAnIndex) {
  EXPECT_EQ(parse_safetensors_index(R"({"metadata":{"total_size":8},"weight_map":{"b":"1","a":"2"}})", "x"),
            (std::map<std::string, std::string>{{"a", "2"}, {"b", "1"}}));
  EXPECT_ERROR(parse_safetensors_index("{}", "x"),
               "x: key 'weight_map' is missing; it says in which file each tensor is");
  EXPECT_ERROR(parse_safetensors_index(R"({"weight_map":{"a":[]}})", "x"),
               "x: weight_map: 'a' must be a text, got a list");
  EXPECT_ERROR(parse_safetensors_index("\xFF", "x"), "x: is not UTF-8 text (at its byte 0)");
  for (const char* bad : {"", ".", "..", "../model.safetensors", "/model.safetensors", "a/b"}) {
    EXPECT_ERROR(
        parse_safetensors_index(fmt::format(R"({{"weight_map":{{"a":"{}"}}}})", bad), "x"),
        fmt::format("x: weight_map: tensor 'a' is in '{}', expected the name of a file beside the index", bad));
  }
}

TEST(SafeTensorsHeader, TakesManyTensors) {
  std::vector<StoredTensor> tensors;
  for (std::uint64_t i = 0; i < 50'000; ++i)
    tensors.push_back({fmt::format("layer.{:05}", i), StoredType::u8, {1}, i, i + 1});
  const std::string bytes = safetensors_header_bytes(tensors, {}) + std::string(50'000, '\0');
  EXPECT_EQ(parse_safetensors_header(bytes, "x").tensors, tensors);
}

}  // namespace
}  // namespace filigree::tensor
