#include "base/file.h"
#include "text/build.h"

namespace filigree::text {
namespace {
namespace fs = std::filesystem;

/// The largest published tokenizer has 30 MB.
constexpr std::uintmax_t kMaxBytes = std::uintmax_t{1} << 29;

std::string read_limited(const fs::path& path) {
  std::error_code code;
  const std::uintmax_t size = fs::file_size(path, code);
  if (!code && size > kMaxBytes)
    fail("{}: has {} bytes, more than the {} that a tokenizer may have", path.string(), size, kMaxBytes);
  return read_file(path);
}

bool is_file(const fs::path& path) {
  std::error_code code;
  return fs::is_regular_file(path, code);
}

Tokenizer load_json_file(const fs::path& path) {
  return build_tokenizer(read_limited(path), read_tokenizer_config(path.parent_path()), path.string());
}

Tokenizer load_model_file(const fs::path& path) {
  const std::string where = path.string();
  return build_tokenizer(parse_sentencepiece(read_limited(path), where), read_tokenizer_config(path.parent_path()),
                         where);
}

Tokenizer load_vocabulary(const fs::path& folder) {
  const fs::path vocabulary = folder / "vocab.json", merges = folder / "merges.txt";
  for (const fs::path& path : {vocabulary, merges}) {
    if (!is_file(path)) fail("{}: is missing; vocab.json and merges.txt belong together", path.string());
  }
  VocabularyFiles files;
  files.vocabulary_where = vocabulary.string();
  files.merges_where = merges.string();
  files.vocabulary = parse_vocabulary_file(read_limited(vocabulary), files.vocabulary_where);
  files.merges = parse_merges_file(read_limited(merges), files.merges_where);
  return build_tokenizer(files, read_tokenizer_config(folder), folder.string());
}

Tokenizer load_folder(const fs::path& folder) {
  if (is_file(folder / "tokenizer.json")) return load_json_file(folder / "tokenizer.json");
  for (const char* name : {"spiece.model", "tokenizer.model", "sentencepiece.bpe.model"}) {
    if (is_file(folder / name)) return load_model_file(folder / name);
  }
  if (is_file(folder / "vocab.json") || is_file(folder / "merges.txt")) return load_vocabulary(folder);
  fail("{}: holds no tokenizer; expected tokenizer.json, spiece.model, tokenizer.model, or vocab.json with merges.txt",
       folder.string());
}

}  // namespace

Tokenizer load_tokenizer(const fs::path& folder_or_file) {
  std::error_code code;
  if (fs::is_directory(folder_or_file, code)) return load_folder(folder_or_file);
  const std::string name = folder_or_file.filename().string();
  if (!is_file(folder_or_file))
    fail("{}: there is no such folder or file; expected a tokenizer", folder_or_file.string());
  if (name == "vocab.json" || name == "merges.txt") return load_vocabulary(folder_or_file.parent_path());
  return name.ends_with(".json") ? load_json_file(folder_or_file) : load_model_file(folder_or_file);
}

}  // namespace filigree::text
