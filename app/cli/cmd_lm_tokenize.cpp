#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "commands.h"
#include "frame.h"
#include "text/tokenizer.h"
#include "text/train.h"

namespace filigree::cli {
namespace {

struct Options {
  std::string tokenizer, input, decode, output, kind = "bpe";
  std::optional<std::string> text;
  std::vector<std::string> train;
  std::optional<std::vector<std::string>> special;
  std::int64_t vocabulary = 0, max_length = 0, min_count = 2;
  bool pieces = false, count = false, no_special = false, letters = false, keep_special = false, json = false;
};

[[noreturn]] void wrong_usage(std::string_view what) { throw UsageError(fmt::format("lm tokenize: {}", what)); }

std::size_t num_characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at += text::utf8_length(text[at])) ++count;
  return count;
}

void encode(const Options& options) {
  const text::Tokenizer tokenizer = text::load_tokenizer(options.tokenizer);
  const std::string text = options.text ? *options.text : read_file(options.input);
  text::check_utf8(text, options.text ? "--text" : options.input);
  text::EncodeOptions how;
  how.add_special = !options.no_special;
  how.specials = options.letters ? text::Specials::as_text : text::Specials::as_ids;
  how.max_length = options.max_length;
  const std::vector<text::TokenId> ids = tokenizer.encode(text, how);
  if (options.json) {
    Json json;
    json["tokenizer"] = tokenizer.origin();
    json["kind"] = tokenizer.kind();
    json["vocabulary_size"] = tokenizer.vocabulary_size();
    json["tokens"] = ids.size();
    json["bytes"] = text.size();
    json["characters"] = num_characters(text);
    json["ids"] = ids;
    std::vector<std::string> pieces;
    for (const text::TokenId id : ids) pieces.push_back(tokenizer.piece(id));
    json["pieces"] = std::move(pieces);
    return emit({.file = options.output}, json);
  }
  std::string out;
  if (options.count) {
    out = fmt::format("{}\n", ids.size());
  } else if (options.pieces) {
    for (const text::TokenId id : ids) out += fmt::format("{}\t{}\n", id, tokenizer.piece(id));
  } else {
    out = fmt::format("{}\n", fmt::join(ids, " "));
  }
  emit({.file = options.output}, out);
}

void decode(const Options& options) {
  std::vector<text::TokenId> ids;
  std::string list = options.decode;
  for (char& c : list) c = c == ' ' ? ',' : c;
  for (const std::string& word : text::split(list, ',')) {
    if (word.empty()) continue;
    const auto id = text::parse_int(word);
    if (!id || *id < 0 || *id > INT32_MAX) wrong_usage(fmt::format("--decode: '{}' is no id of a token", word));
    ids.push_back(static_cast<text::TokenId>(*id));
  }
  const text::Tokenizer tokenizer = text::load_tokenizer(options.tokenizer);
  const std::string text = tokenizer.decode(ids, {.skip_special = !options.keep_special});
  if (!options.json) return emit({.file = options.output}, text + "\n");
  Json json;
  json["tokenizer"] = tokenizer.origin();
  json["ids"] = ids;
  json["text"] = text;
  emit({.file = options.output}, json);
}

void train(const Options& options) {
  if (!options.tokenizer.empty() || options.text || !options.input.empty() || !options.decode.empty()) {
    wrong_usage("--train makes a new tokenizer; it goes without --tokenizer, --text, --input and --decode");
  }
  if (options.output.empty()) wrong_usage("--train needs --output DIR for the tokenizer");
  const bool characters = options.kind == "characters";
  if (!characters && options.vocabulary == 0) wrong_usage("--train needs --vocab-size N");
  if (characters && options.vocabulary != 0)
    wrong_usage("--kind characters takes all characters; leave out --vocab-size");
  const std::vector<std::filesystem::path> files(options.train.begin(), options.train.end());
  TerminalProgress progress(stderr);
  text::TrainOptions how;
  how.vocabulary_size = options.vocabulary;
  if (options.special) how.special_tokens = *options.special;
  how.min_count = options.min_count;
  how.progress = &progress;
  const text::TrainedTokenizer trained =
      characters ? text::train_characters(files, how.special_tokens) : text::train_bpe(files, how);
  text::save_tokenizer(trained, options.output);
  report_written(std::filesystem::path(options.output) / "tokenizer.json");
  if (options.json) {
    Json json;
    json["vocabulary_size"] = trained.vocabulary_size;
    json["merges"] = trained.merges;
    return emit({}, json);
  }
  std::string summary = fmt::format("{} tokens, {} merges", text::with_thousands(trained.vocabulary_size),
                                    text::with_thousands(trained.merges));
  if (!characters && trained.vocabulary_size < options.vocabulary) {
    summary += fmt::format("; fewer than asked for: no other pair is seen {} times", options.min_count);
  }
  emit({}, summary + "\n");
}

void run(const Options& options) {
  if (!options.train.empty()) return train(options);
  if (options.tokenizer.empty()) wrong_usage("--tokenizer is required (or --train to make one)");
  const int given = (options.text ? 1 : 0) + (options.input.empty() ? 0 : 1) + (options.decode.empty() ? 0 : 1);
  if (given != 1) wrong_usage("give one of --text, --input and --decode");
  if (!options.decode.empty()) return decode(options);
  encode(options);
}

}  // namespace

void setup_lm_tokenize(CLI::App& lm) {
  CLI::App* command = add_command(lm, {"tokenize", "Turn text into tokens and back, or train a tokenizer.",
                                       "filigree lm tokenize --train corpus.txt --vocab-size 8000 --output tokenizer"});
  const auto options = std::make_shared<Options>();
  command
      ->add_option("-t,--tokenizer", options->tokenizer,
                   "a folder with tokenizer.json, spiece.model, tokenizer.model or vocab.json and merges.txt, or one "
                   "of these files")
      ->type_name("PATH");
  command->add_option("--text", options->text, "the text")->type_name("TEXT");
  command->add_option("-i,--input", options->input, "a file with the text")->type_name("FILE");
  command->add_option("--decode", options->decode, "ids of tokens to turn into text: 1,2,3")->type_name("IDS");
  command->add_flag("--pieces", options->pieces, "print a line for each token: its id and its piece");
  command->add_flag("--count", options->count, "print only the number of tokens");
  command->add_flag("--no-special", options->no_special, "do not put bos and eos around the text");
  command->add_flag("--specials-as-text", options->letters,
                    "strings of special tokens in the text, such as </s>, are letters");
  command->add_flag("--keep-special", options->keep_special, "with --decode: show special tokens");
  command->add_option("--max-length", options->max_length, "cut the text to this many tokens")
      ->check(whole_number(1, 1'000'000'000))
      ->type_name("N");
  command->add_option("--train", options->train, "learn a tokenizer from these text files")->type_name("FILE");
  command->add_option("--kind", options->kind, "with --train: bpe (byte-level) or characters")
      ->check(CLI::IsMember({"bpe", "characters"}))
      ->type_name("KIND");
  command->add_option("--vocab-size", options->vocabulary, "with --train: number of tokens, special ones and bytes too")
      ->check(whole_number(257, 1 << 24))
      ->type_name("N");
  command->add_option("--min-count", options->min_count, "with --train: merge only pairs seen this often (default 2)")
      ->check(whole_number(1, 1'000'000'000))
      ->type_name("N");
  command->add_option("--special", options->special, "with --train: special tokens (default <|endoftext|>)")
      ->type_name("TOKEN");
  command->add_flag("--json", options->json, "print the result as JSON, for scripts");
  command->add_option("-o,--output", options->output, "write the result to this file; with --train, the folder to make")
      ->type_name("PATH");
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
