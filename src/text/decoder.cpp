#include "text/decoder.h"

#include "text/byte_level.h"

namespace filigree::text {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

/// The byte of "<0x41>", or -1.
int fallback_byte(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return -1;
  int value = 0;
  for (const char digit : piece.substr(3, 2)) {
    const std::size_t number = std::string_view("0123456789ABCDEF").find(digit);
    if (number == std::string_view::npos) return -1;
    value = 16 * value + static_cast<int>(number);
  }
  return value;
}

void read_step(const JsonPart& part, DecodeRules& rules, int depth) {
  if (depth > 8) fail("{}: decoders are nested deeper than 8 levels", part.place());
  const std::string type = part.string("type");
  if (type == "Sequence") {
    for (const JsonPart& item : part.at("decoders").items()) read_step(item, rules, depth + 1);
  } else if (type == "ByteLevel") {
    rules.byte_level = true;
  } else if (type == "ByteFallback") {
    rules.byte_fallback = true;
  } else if (type == "Metaspace") {
    const std::string scheme =
        part.string_or("prepend_scheme", part.flag_or("add_prefix_space", true) ? "always" : "never");
    rules.replace.emplace_back(part.string_or("replacement", "▁"), " ");
    rules.strip_first_space = scheme != "never";
  } else if (type == "BPEDecoder") {
    rules.suffix = part.string_or("suffix", "</w>");
  } else if (type == "Replace") {
    const std::string from = part.at("pattern").string("String");
    if (!from.empty()) rules.replace.emplace_back(from, part.string("content"));
  } else if (type == "Strip") {
    // Only its use after a Fuse, to take the space before the first word, is met in published files.
    rules.strip_first_space = part.string("content") == " " && part.at("start").integer() > 0;
  } else if (type != "Fuse") {
    fail("{}: the decoder '{}' is not supported{}", part.at("type").place(), type,
         did_you_mean(
             type, {"Sequence", "ByteLevel", "ByteFallback", "Metaspace", "BPEDecoder", "Replace", "Strip", "Fuse"}));
  }
}

}  // namespace

std::string DecodeRules::bytes(std::string_view piece) const {
  if (byte_fallback) {
    if (const int byte = fallback_byte(piece); byte >= 0) return std::string(1, static_cast<char>(byte));
  }
  const bool at_end = !suffix.empty() && piece.ends_with(suffix);
  if (at_end) piece.remove_suffix(suffix.size());
  std::string out = byte_level ? from_byte_letters(piece) : std::string(piece);
  for (const auto& [from, to] : replace) replace_all(out, from, to);
  if (at_end) out += ' ';
  return out;
}

DecodeRules read_decoder(const JsonPart& part) {
  DecodeRules rules;
  read_step(part, rules, 0);
  return rules;
}

}  // namespace filigree::text
