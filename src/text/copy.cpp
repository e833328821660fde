#include "text/copy.h"

#include "base/file.h"

namespace filigree::text {

void copy_tokenizer(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "spiece.model",
                           "tokenizer.model", "sentencepiece.bpe.model", "vocab.json", "merges.txt"}) {
    if (std::filesystem::exists(from / name)) write_file(to / name, read_file(from / name));
  }
}

}  // namespace filigree::text
