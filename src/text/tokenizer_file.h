#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

/// Reading the JSON of tokenizers: their lists of a hundred thousand entries go past the tree of JSON values.
namespace filigree::text {

struct TokenizerFile {
  Json json;                                                     ///< all but the lists below
  std::vector<std::pair<std::string, std::int64_t>> vocabulary;  ///< model.vocab as an object
  std::vector<std::pair<std::string, double>> scored;            ///< model.vocab as a list of [piece, score]
  std::vector<std::pair<std::string, std::string>> merges;       ///< model.merges: "a b" or ["a", "b"]
  bool has_vocabulary = false, has_scored = false;
};

/// A tokenizer.json. Error with the place where it is not JSON, nested deeper than 64 levels, or where one of the lists has
/// an entry of another form.
TokenizerFile parse_tokenizer_file(std::string_view text, const std::string& where);

/// A vocab.json: one object of pieces and ids.
std::vector<std::pair<std::string, std::int64_t>> parse_vocabulary_file(std::string_view text,
                                                                        const std::string& where);

/// A merges.txt: a line "#version" that may lack, then "a b" in each line.
std::vector<std::pair<std::string, std::string>> parse_merges_file(std::string_view text, const std::string& where);

}  // namespace filigree::text
