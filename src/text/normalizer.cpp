#include "text/normalizer.h"

#include <memory>

#include "text/base64.h"
#include "text/byte_level.h"
#include "text/char_map.h"
#include "text/regex.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace filigree::text {
namespace {

/// "Replace": a fixed text or an expression.
Normalizer::Step read_replace(const JsonPart& part) {
  const JsonPart pattern = part.at("pattern");
  const std::string content = part.string("content");
  const auto regex = pattern.find("Regex");
  const std::string text = regex ? regex->string() : quoted_pattern(pattern.string("String"));
  if (text.empty()) return [](std::string_view whole) { return std::string(whole); };
  return [regex = Regex(text, pattern.place()), content](std::string_view whole) {
    return replace_matches(regex, whole, content);
  };
}

void read_step(const JsonPart& part, Normalizer& out, int depth) {
  if (depth > 8) fail("{}: normalizers are nested deeper than 8 levels", part.place());
  const std::string type = part.string("type");
  const auto form = [&](NormalForm f) { out.add([f](std::string_view text) { return normalized(text, f); }); };
  if (type == "Sequence") {
    for (const JsonPart& item : part.at("normalizers").items()) read_step(item, out, depth + 1);
  } else if (type == "NFC") {
    form(NormalForm::nfc);
  } else if (type == "NFD") {
    form(NormalForm::nfd);
  } else if (type == "NFKC") {
    form(NormalForm::nfkc);
  } else if (type == "NFKD") {
    form(NormalForm::nfkd);
  } else if (type == "Lowercase") {
    out.add(lower_characters);
  } else if (type == "StripAccents") {
    out.add(without_marks);
  } else if (type == "Strip") {
    const bool left = part.flag_or("strip_left", true), right = part.flag_or("strip_right", true);
    out.add([left, right](std::string_view text) { return strip_white_space(text, left, right); });
  } else if (type == "Replace") {
    out.add(read_replace(part));
  } else if (type == "Prepend") {
    const std::string head = part.string("prepend");
    out.add([head](std::string_view text) { return text.empty() ? std::string() : head + std::string(text); });
  } else if (type == "ByteLevel") {
    out.add(to_byte_letters);
  } else if (type == "Precompiled") {
    const auto code = part.find("precompiled_charsmap");
    if (!code) return;
    const auto map = std::make_shared<CharMap>(decode_base64(code->string(), code->place()), code->place());
    out.add([map](std::string_view text) { return map->replace_clusters(text); });
  } else {
    fail("{}: the normalizer '{}' is not supported{}", part.at("type").place(), type,
         did_you_mean(type, {"Sequence", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Strip", "Replace",
                             "Prepend", "ByteLevel", "Precompiled"}));
  }
}

}  // namespace

std::string Normalizer::operator()(std::string_view text) const {
  std::string out(text);
  for (const Step& step : steps_) out = step(out);
  return out;
}

Normalizer read_normalizer(const JsonPart& part) {
  Normalizer out;
  read_step(part, out, 0);
  return out;
}

Normalizer clip_normalizer() {
  Normalizer out;
  out.add([](std::string_view text) { return normalized(text, NormalForm::nfc); });
  out.add(
      [spaces = Regex("\\s+", "white space")](std::string_view text) { return replace_matches(spaces, text, " "); });
  out.add(lower_characters);
  return out;
}

}  // namespace filigree::text
