#include <filesystem>

#include "support.h"
#include "text/chat.h"
#include "text/train.h"

namespace {

using namespace filigree;

/// Bytes and a few merges; learned from a file that is written and removed here.
text::Tokenizer make_tokenizer() {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "filigree-fuzz-tokenize";
  const std::filesystem::path file = folder / "sample.txt";
  text::TrainedTokenizer trained;
  trained.tokenizer_json = "the cat and the dog and the bird, 1234 1234 \xc3\xa9t\xc3\xa9 \xc3\xa9t\xc3\xa9\n\n";
  text::save_tokenizer(trained, folder);
  std::filesystem::rename(folder / "tokenizer.json", file);
  trained = text::train_bpe({file}, {.vocabulary_size = 300, .special_tokens = {"<|im_start|>", "<|im_end|>"}});
  std::filesystem::remove_all(folder);
  return text::read_trained(trained, "trained");
}

}  // namespace

/// Any bytes as a text: refused, or encoded and decoded to itself. As a user's message it is no special token. As ids they
/// decode to UTF-8, in one and in parts.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const text::Tokenizer tokenizer = make_tokenizer();
  static const text::ChatTemplate chat = text::chat_template("chatml");
  const std::string input(fuzz::as_text(data, size));
  fuzz::refuse_or_read([&] {
    for (const auto specials : {text::Specials::as_ids, text::Specials::as_text}) {
      const std::vector<text::TokenId> ids = tokenizer.encode(input, {.specials = specials});
      fuzz::require(tokenizer.decode(ids, {.skip_special = false}) == input);
    }
    int special = 0;
    for (const text::TokenId id : text::chat_ids(tokenizer, chat, {{text::Role::user, input}}).ids) {
      special += tokenizer.is_special(id) ? 1 : 0;
    }
    fuzz::require(special == 2);
  });
  text::StreamDecoder stream(tokenizer);
  std::vector<text::TokenId> ids;
  std::string parts;
  for (const char byte : input) {
    ids.push_back(static_cast<unsigned char>(byte));
    const std::string part = stream.push(ids.back());
    fuzz::require(!first_invalid_utf8(part));
    parts += part;
  }
  fuzz::require(parts + stream.finish() == tokenizer.decode(ids));
  return 0;
}
