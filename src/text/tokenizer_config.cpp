#include "base/file.h"
#include "text/build.h"
#include "text/json_part.h"

namespace filigree::text {
namespace {
namespace fs = std::filesystem;

/// A token is a text, or an object with its "content".
std::string read_token(const JsonPart& part) {
  return part.json().is_object() ? part.string("content") : part.string();
}

void read_names(const JsonPart& top, TokenizerConfig& config) {
  const auto name = [&](const char* key, std::string& out) {
    if (const auto part = top.find(key); part && out.empty()) out = read_token(*part);
  };
  name("bos_token", config.bos);
  name("eos_token", config.eos);
  name("pad_token", config.pad);
  name("unk_token", config.unk);
  for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
    const auto list = top.find(key);
    if (!list || !list->json().is_array() || !config.extra_special.empty()) continue;
    for (const JsonPart& item : list->items()) config.extra_special.push_back(read_token(item));
  }
}

void read_added(const JsonPart& decoder, TokenizerConfig& config) {
  for (const auto& [key, value] : decoder.json().items()) {
    const JsonPart part(value, decoder.where(), detail::child_path(decoder.path(), key));
    const auto id = parse_int(key);
    if (!id || *id < 0 || *id > INT32_MAX) fail("{}: '{}' is no id of a token", decoder.place(), key);
    AddedToken token;
    token.content = part.string("content");
    token.id = static_cast<TokenId>(*id);
    token.special = part.flag_or("special", false);
    token.single_word = part.flag_or("single_word", false);
    token.lstrip = part.flag_or("lstrip", false);
    token.rstrip = part.flag_or("rstrip", false);
    token.normalized = part.flag_or("normalized", !token.special);
    config.added.push_back(std::move(token));
  }
}

/// The template of conversations: a text, or a list of named ones, of which "default" is meant.
std::string read_chat_template(const JsonPart& part) {
  if (!part.json().is_array()) return part.string();
  for (const JsonPart& item : part.items()) {
    if (item.string("name") == "default") return item.string("template");
  }
  return "";
}

void read_main(const JsonPart& top, TokenizerConfig& config) {
  read_names(top, config);
  config.tokenizer_class = top.string_or("tokenizer_class", "");
  if (top.find("add_bos_token")) config.add_bos = top.flag_or("add_bos_token", false);
  if (top.find("add_eos_token")) config.add_eos = top.flag_or("add_eos_token", false);
  if (const auto decoder = top.find("added_tokens_decoder")) {
    if (!decoder->json().is_object())
      detail::wrong_type(decoder->where(), decoder->path(), "an object", decoder->json());
    read_added(*decoder, config);
  }
  if (const auto chat = top.find("chat_template")) config.chat_template = read_chat_template(*chat);
  // Some files write 1e30 for "no limit".
  const auto length = top.find("model_max_length");
  if (length && length->json().is_number()) {
    const auto value = length->json().get<double>();
    if (value >= 1 && value < 1e12) config.model_max_length = static_cast<std::int64_t>(value);
  }
}

}  // namespace

TokenizerConfig parse_tokenizer_config(std::string_view text, const std::string& where) {
  TokenizerConfig config;
  const Json json = parse_json(text, where);
  read_main(JsonPart(json, where), config);
  return config;
}

TokenizerConfig read_tokenizer_config(const fs::path& folder) {
  TokenizerConfig config;
  std::error_code code;
  const auto with = [&](const char* name, const auto& use) {
    const fs::path path = folder / name;
    if (fs::is_regular_file(path, code)) use(path);
  };
  with("tokenizer_config.json",
       [&](const fs::path& path) { config = parse_tokenizer_config(read_file(path), path.string()); });
  with("special_tokens_map.json", [&](const fs::path& path) {
    const Json json = load_json(path);
    read_names(JsonPart(json, path.string()), config);
  });
  if (config.added.empty()) {
    with("added_tokens.json", [&](const fs::path& path) {
      const Json json = load_json(path);
      if (!json.is_object()) detail::wrong_type(path.string(), "the top level", "an object", json);
      for (const auto& [content, id] : json.items()) {
        AddedToken token{.content = content};
        token.id = static_cast<TokenId>(
            std::clamp<std::int64_t>(JsonPart(id, path.string(), content).integer(), -1, INT32_MAX));
        config.added.push_back(std::move(token));
      }
    });
  }
  with("chat_template.jinja", [&](const fs::path& path) { config.chat_template = read_file(path); });
  return config;
}

}  // namespace filigree::text
