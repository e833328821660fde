#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/progress.h"
#include "tensor/mapped_file.h"
#include "text/tokenizer.h"

/// Texts as one long row of tokens on the disk, which training maps into memory:
///
///     FOLDER/tokens.bin    32-bit little-endian ids
///     FOLDER/tokens.json   {"tokens": …, "documents": …, "vocabulary": …, "tokenizer": …}, written last
///
/// Each document ends with the tokenizer's eos, where it has one.
namespace filigree::language {

/// What there is to read below the paths: files as they are; of folders all .txt, .md and .jsonl and those without an
/// ending, in alphabetical order; links are left out.
/// Error for a path that does not exist and for a folder without such files.
std::vector<std::filesystem::path> text_files(const std::vector<std::filesystem::path>& paths);

struct TokenizeOptions {
  ProgressSink* progress = nullptr;
};

/// Tokenizes files into a folder: a text file is one document, a .jsonl file has one in the field "text" of each line.
/// Long files are cut at empty lines first, so that memory stays small. Error for text that is not UTF-8 or lines that
/// are not such objects (naming file and line), for no tokens at all, and where the folder cannot be written.
void write_tokens(const std::vector<std::filesystem::path>& files, const text::Tokenizer& tokenizer,
                  const std::filesystem::path& folder, const TokenizeOptions& options = {});

/// An open token file.
class TokenFile {
 public:
  /// Error where the files are missing, do not fit together, or hold an id that the vocabulary does not have.
  static TokenFile open(const std::filesystem::path& folder);

  std::int64_t size() const { return size_; }
  std::int64_t vocabulary() const { return vocabulary_; }
  std::int64_t documents() const { return documents_; }
  std::int32_t operator[](std::int64_t index) const { return ids_[index]; }
  const std::int32_t* data() const { return ids_; }

 private:
  std::shared_ptr<tensor::MappedFile> file_;
  const std::int32_t* ids_ = nullptr;
  std::int64_t size_ = 0, vocabulary_ = 0, documents_ = 0;
};

}  // namespace filigree::language
