#include "language/token_file.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/lines.h"
#include "tensor/part_file.h"
#include "text/utf8.h"

namespace filigree::language {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "token files are little-endian and mapped as they are");

constexpr std::size_t kPiece = 1 << 20;  // bytes of a long text that are tokenized at a time

/// Pieces of about kPiece bytes, each ending behind an empty line or, where none comes, at a line's end.
std::vector<std::string_view> pieces(std::string_view text) {
  std::vector<std::string_view> all;
  while (text.size() > 2 * kPiece) {
    std::size_t cut = text.find("\n\n", kPiece);
    if (cut == std::string_view::npos || cut > 2 * kPiece) cut = text.find('\n', kPiece);
    if (cut == std::string_view::npos) break;
    while (cut < text.size() && text[cut] == '\n') ++cut;
    all.push_back(text.substr(0, cut));
    text.remove_prefix(cut);
  }
  all.push_back(text);
  return all;
}

class Writer {
 public:
  Writer(const text::Tokenizer& tokenizer, const fs::path& folder)
      : tokenizer_(tokenizer), file_(folder / "tokens.bin") {}

  void document(std::string_view text, const std::string& where) {
    text::check_utf8(text, where);
    for (const std::string_view piece : pieces(text)) {
      const text::EncodeOptions plain{.add_special = false, .specials = text::Specials::as_text};
      write(tokenizer_.encode(piece, plain));
    }
    if (const auto eos = tokenizer_.named().eos) write({*eos});
    ++documents;
  }

  void publish() { file_.publish(); }

  std::int64_t tokens = 0, documents = 0;

 private:
  void write(const std::vector<text::TokenId>& ids) {
    std::vector<std::int32_t> narrow(ids.begin(), ids.end());
    file_.write(narrow.data(), narrow.size() * sizeof(std::int32_t));
    tokens += static_cast<std::int64_t>(narrow.size());
  }

  const text::Tokenizer& tokenizer_;
  tensor::PartFile file_;
};

void write_objects(Writer& writer, const fs::path& file) {
  for (const TextLine& line : read_lines(file)) {
    const Json json = parse_json(line.text, line.where);
    if (!json.is_object() || !json.contains("text") || !json["text"].is_string()) {
      fail("{}: expected an object with the field \"text\"", line.where);
    }
    writer.document(json["text"].get<std::string>(), line.where);
  }
}

bool is_text_file(const fs::path& path) {
  const std::string ending = text::lower(path.extension().string());
  return ending.empty() || ending == ".txt" || ending == ".md" || ending == ".jsonl";
}

}  // namespace

std::vector<fs::path> text_files(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    std::error_code code;
    if (!fs::exists(path, code)) fail("{}: there is no such file or folder", path.string());
    if (!fs::is_directory(path, code)) {
      files.push_back(path);
      continue;
    }
    std::vector<fs::path> inside;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_symlink() || !entry.is_regular_file()) continue;  // a link shows a text that is there anyway
      if (is_text_file(entry.path())) inside.push_back(entry.path());
    }
    if (inside.empty()) fail("{}: holds no text: no file ends in .txt, .md, .jsonl or nothing", path.string());
    std::sort(inside.begin(), inside.end());
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

void write_tokens(const std::vector<fs::path>& files, const text::Tokenizer& tokenizer, const fs::path& folder,
                  const TokenizeOptions& options) {
  std::error_code code;
  fs::remove(folder / "tokens.json", code);  // without it the folder counts as incomplete
  Writer writer(tokenizer, folder);
  Progress progress(options.progress, static_cast<std::int64_t>(files.size()), "files tokenized");
  for (const fs::path& file : files) {
    if (cancelled()) fail("tokenizing was cancelled");
    if (text::lower(file.extension().string()) == ".jsonl") {
      write_objects(writer, file);
    } else {
      writer.document(read_file(file), file.string());
    }
    progress.advance();
  }
  if (writer.tokens == 0) fail("there is no text in {} files", files.size());
  writer.publish();
  const Json about = {{"tokens", writer.tokens},
                      {"documents", writer.documents},
                      {"vocabulary", tokenizer.vocabulary_size()},
                      {"tokenizer", tokenizer.kind()}};
  write_file(folder / "tokens.json", to_text(about));
}

TokenFile TokenFile::open(const fs::path& folder) {
  const fs::path about_path = folder / "tokens.json", path = folder / "tokens.bin";
  const Json about = load_json(about_path);
  TokenFile tokens;
  const auto number = [&](const char* key) {
    std::int64_t value = 0;
    if (!about.is_object() || !about.contains(key)) fail("{}: '{}' is missing", about_path.string(), key);
    detail::read_value(about[key], value, at_least(0), about_path.string(), key);
    return value;
  };
  tokens.size_ = number("tokens");
  tokens.documents_ = number("documents");
  tokens.vocabulary_ = number("vocabulary");
  tokens.file_ = tensor::MappedFile::open(path);
  if (tokens.file_->size() != static_cast<std::size_t>(tokens.size_) * sizeof(std::int32_t)) {
    fail("{}: has {} bytes, but {} says that it holds {} tokens of 4; tokenize the texts again", path.string(),
         tokens.file_->size(), about_path.string(), tokens.size_);
  }
  tokens.ids_ = reinterpret_cast<const std::int32_t*>(tokens.file_->data());
  const auto bad = std::find_if(tokens.ids_, tokens.ids_ + tokens.size_,
                                [&](std::int32_t id) { return id < 0 || id >= tokens.vocabulary_; });
  if (bad != tokens.ids_ + tokens.size_) {
    fail("{}: token {} has the id {}, which is not within 0 … {}", path.string(), bad - tokens.ids_, *bad,
         tokens.vocabulary_ - 1);
  }
  return tokens;
}

}  // namespace filigree::language
