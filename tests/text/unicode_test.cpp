#include <gtest/gtest.h>

#include "samples.h"
#include "support/expect_error.h"
#include "text/base64.h"
#include "text/byte_level.h"
#include "text/regex.h"
#include "text/trie.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace filigree::text {
namespace {

TEST(Utf8, FindsTheFirstWrongByte) {
  for (const std::string& text : test::awkward_texts()) EXPECT_EQ(first_invalid_utf8(text), std::nullopt) << text;
  EXPECT_EQ(first_invalid_utf8("ab\xff"), 2U);
  EXPECT_EQ(first_invalid_utf8("\xc0\x80"), 0U);          // too long a form of U+0000
  EXPECT_EQ(first_invalid_utf8("x\xed\xa0\x80"), 1U);     // a surrogate
  EXPECT_EQ(first_invalid_utf8("\xf4\x90\x80\x80"), 0U);  // beyond U+10FFFF
  EXPECT_EQ(first_invalid_utf8("é\xe2\x82"), 2U);         // cut short
  EXPECT_ERROR(check_utf8("caf\xe9 au lait", "menu.txt"),
               "menu.txt: byte 3 (0xe9) is not UTF-8; convert the text to UTF-8 first");
}

TEST(Utf8, CharactersThereAndBack) {
  for (const char32_t c : {U'\0', U'a', U'\x7f', U'\x80', U'\x7ff', U'\x800', U'\xffff', U'\x10000', U'\x10ffff'}) {
    std::string text;
    append_utf8(text, c);
    std::size_t at = 0;
    EXPECT_EQ(next_character(text, at), c);
    EXPECT_EQ(at, text.size());
    EXPECT_EQ(utf8_length(text[0]), text.size());
  }
}

TEST(Utf8, JoinerHoldsBackPartsOfCharacters) {
  for (const std::string& text : test::awkward_texts()) {
    Utf8Joiner joiner;
    std::string joined;
    for (const char byte : text) {
      joined += joiner.push(std::string(1, byte));
      EXPECT_EQ(first_invalid_utf8(joined), std::nullopt);
    }
    EXPECT_EQ(joined + joiner.finish(), text);
  }
  Utf8Joiner joiner;
  EXPECT_EQ(joiner.push("\xf0\x9f"), "");
  EXPECT_EQ(joiner.push("\x99\x82!"), "🙂!");
  EXPECT_EQ(joiner.push("\xf0\x9f"), "");
  EXPECT_EQ(joiner.push("a\xff"), "\ufffda\ufffd");
  EXPECT_EQ(joiner.push("\xe2\x82"), "");
  EXPECT_EQ(joiner.finish(), "\ufffd");
  EXPECT_EQ(joiner.finish(), "");
}

TEST(Unicode, NormalFormsAndCases) {
  EXPECT_EQ(normalized("e\u0301ﬁ", NormalForm::nfc), "éﬁ");
  EXPECT_EQ(normalized("éﬁ", NormalForm::nfd), "e\u0301ﬁ");
  EXPECT_EQ(normalized("e\u0301ﬁⅧ", NormalForm::nfkc), "éfiVIII");
  EXPECT_EQ(normalized("é½", NormalForm::nfkd),
            "e\u0301"
            "1\u2044"
            "2");
  EXPECT_EQ(lower_characters("ÀB İ ΣΑΣ ẞ"), "àb i\u0307 σασ ß");
  EXPECT_EQ(without_marks("e\u0301a\u0308x"), "eax");
  EXPECT_TRUE(is_white_space(U'\u00a0') && is_white_space(U'\u0085') && is_white_space(U'\u3000'));
  EXPECT_FALSE(is_white_space(U'\u200b') || is_white_space(U'\u180e'));
}

std::vector<std::string> matches(const std::string& pattern, const std::string& text) {
  const Regex regex(pattern, "test");
  std::vector<std::string> out;
  for (Regex::Search search(regex, text); search.next();) {
    out.push_back(text.substr(search.begin(), search.end() - search.begin()));
  }
  return out;
}

TEST(RegexTest, ClassesAreOfUnicode) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(matches("\\p{L}+", "naïve 東京"), (Words{"naïve", "東京"}));
  EXPECT_EQ(matches("\\s", "a\u00a0b\u180ec\u0085"), (Words{"\u00a0", "\u0085"}));
  EXPECT_EQ(matches("[^\\s]+", "a\u3000\u180eb"), (Words{"a", "\u180eb"}));
  EXPECT_EQ(matches("\\S+", "a\u3000b"), (Words{"a", "b"}));
  EXPECT_EQ(matches("\\w+", "e\u0301_1 ½"), (Words{"e\u0301_1"}));
  EXPECT_EQ(matches("[]\\w]+", "a]\u0301 b"), (Words{"a]\u0301", "b"}));
  EXPECT_EQ(matches("\\W", "e\u0301!"), (Words{"!"}));
  EXPECT_EQ(matches("(?i:'s)", "'S'ſ"), (Words{"'S", "'ſ"}));
  EXPECT_EQ(matches("x*", "axxé"), (Words{"", "xx", "", ""}));
  EXPECT_EQ(replace_matches(Regex("\\s+", "test"), " a\t b ", "_"), "_a_b_");
  EXPECT_EQ(matches(quoted_pattern("a.b|[c]\\"), "xa.b|[c]\\y"), Words{"a.b|[c]\\"});
}

TEST(RegexTest, SaysWhatIsWrong) {
  EXPECT_ERROR(Regex("(a", "t.json: x"), "t.json: x: the regular expression is wrong: missing closing parenthesis");
  EXPECT_ERROR(Regex("\\C", "t.json: x"),
               "t.json: x: the regular expression is wrong: using \\C is disabled by the application");
  EXPECT_ERROR(Regex(std::string(40000, 'a'), "t.json: x"),
               "t.json: x: the regular expression is longer than 32768 bytes");
  EXPECT_ERROR(Regex("\xff", "t.json: x"), "t.json: x: byte 0 (0xff) is not UTF-8; convert the text to UTF-8 first");
  std::string text(40, 'a');
  text += 'b';
  EXPECT_ERROR(matches("(a+)+$", text),
               "test: the regular expression gives up at byte 0 of a text: match limit exceeded");
}

TEST(ByteLevel, EachByteHasItsLetter) {
  EXPECT_EQ(to_byte_letters(" é\n"), "ĠÃ©Ċ");
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(from_byte_letters(to_byte_letters(all)), all);
  EXPECT_EQ(from_byte_letters("東"), "東");
  EXPECT_EQ(byte_of_letter(U'Ġ'), ' ');
  EXPECT_EQ(byte_of_letter(U'\u0144'), std::nullopt);
}

TEST(Base64, DecodesAndRefuses) {
  EXPECT_EQ(decode_base64("", "x"), "");
  EXPECT_EQ(decode_base64("Zg==", "x"), "f");
  EXPECT_EQ(decode_base64("Zm9vYmFy", "x"), "foobar");
  EXPECT_ERROR(decode_base64("Zm9v!", "x"), "x: is not base64: unexpected character at position 4");
}

TEST(TrieTest, FindsAllThatAPlainSearchFinds) {
  const std::vector<std::pair<std::string, std::int32_t>> entries = {{"a", 0},   {"ab", 1}, {"abc", 2}, {"b", 3},
                                                                     {"bca", 4}, {"é", 5},  {"ab", 6}};
  const Trie trie(entries);
  const std::string text = "abcabébcab";
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::vector<std::pair<std::size_t, std::int32_t>> found, expected;
    trie.walk(text, at, [&](std::size_t length, std::int32_t number) { found.emplace_back(length, number); });
    for (std::size_t length = 1; at + length <= text.size(); ++length) {
      std::int32_t number = -1;
      for (const auto& [entry, n] : entries) number = entry == text.substr(at, length) ? n : number;
      if (number >= 0) expected.emplace_back(length, number);
    }
    EXPECT_EQ(found, expected) << at;
    EXPECT_EQ(trie.longest(text, at).length, expected.empty() ? 0U : expected.back().first);
  }
  EXPECT_TRUE(Trie().empty());
}

}  // namespace
}  // namespace filigree::text
