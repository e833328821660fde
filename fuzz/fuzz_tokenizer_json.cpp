#include "support.h"
#include "text/build.h"

/// Any text as a tokenizer.json; one that is read encodes and decodes some texts.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace filigree;
  fuzz::refuse_or_read([&] {
    const text::Tokenizer tokenizer =
        text::build_tokenizer(fuzz::as_text(data, size), text::TokenizerConfig{}, "input");
    for (const char* sample : {"", " ab  cd\r\n", "\xc3\xa9t\xc3\xa9 1234 \xf0\x9f\x99\x82", "</s><|end|>"}) {
      const std::vector<text::TokenId> ids = tokenizer.encode(sample);
      for (const text::TokenId id : ids) fuzz::require(tokenizer.contains(id));
      fuzz::require(!first_invalid_utf8(tokenizer.decode(ids, {.skip_special = false})));
      tokenizer.encode(sample, {.add_special = false, .specials = text::Specials::as_text});
    }
  });
  fuzz::refuse_or_read([&] { text::parse_vocabulary_file(fuzz::as_text(data, size), "input"); });
  fuzz::refuse_or_read([&] { text::parse_merges_file(fuzz::as_text(data, size), "input"); });
  fuzz::refuse_or_read([&] { text::parse_tokenizer_config(fuzz::as_text(data, size), "input"); });
  return 0;
}
