#include "text/sentencepiece_file.h"

#include <bit>
#include <cmath>

#include "base/error.h"
#include "text/utf8.h"

namespace filigree::text {
namespace {

/// Walks the fields of one message of a protocol buffer.
class Message {
 public:
  Message(std::string_view bytes, std::size_t base, const std::string& where)
      : bytes_(bytes), base_(base), where_(where) {}

  /// Moves to the next field; false at the end.
  bool next() {
    if (at_ == bytes_.size()) return false;
    const std::uint64_t tag = varint();
    field_ = tag >> 3;
    switch (tag & 7) {
      case 0:
        number_ = varint();
        break;
      case 1:
        take(8);
        break;
      case 2: {
        const std::uint64_t size = varint();
        if (size > bytes_.size() - at_) {
          fail("{}: is no SentencePiece model: a field at byte {} says it has {} bytes, but only {} follow", where_,
               base_ + at_, size, bytes_.size() - at_);
        }
        take(static_cast<std::size_t>(size));
        break;
      }
      case 5:
        take(4);
        break;
      default:
        fail("{}: is no SentencePiece model: byte {} begins no field", where_, base_ + at_ - 1);
    }
    kind_ = tag & 7;
    return true;
  }

  std::uint64_t field() const { return field_; }
  std::string_view bytes() const { return expect(2), value_; }
  Message message() const { return {bytes(), base_ + static_cast<std::size_t>(value_.data() - bytes_.data()), where_}; }
  bool flag() const { return expect(0), number_ != 0; }

  /// A whole number that fits an int32 (negative ones are written as 64 bits).
  std::int64_t integer() const {
    expect(0);
    const auto value = static_cast<std::int64_t>(number_);
    if (value < INT32_MIN || value > INT32_MAX) fail("{}: field {} is out of range: {}", where_, field_, value);
    return value;
  }

  float real() const {
    expect(5);
    std::uint32_t bits = 0;
    for (std::size_t i = 4; i-- > 0;) bits = bits << 8 | static_cast<unsigned char>(value_[i]);
    return std::bit_cast<float>(bits);
  }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size())
        fail("{}: is no SentencePiece model: it ends inside a number at byte {}", where_, base_ + at_);
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    fail("{}: is no SentencePiece model: the number before byte {} has more than 64 bits", where_, base_ + at_);
  }

  void take(std::size_t size) {
    if (size > bytes_.size() - at_)
      fail("{}: is no SentencePiece model: it ends inside a field at byte {}", where_, base_ + at_);
    value_ = bytes_.substr(at_, size);
    at_ += size;
  }

  void expect(std::uint64_t kind) const {
    if (kind_ != kind) {
      fail("{}: is no SentencePiece model: field {} before byte {} has another type than it should", where_, field_,
           base_ + at_);
    }
  }

  std::string_view bytes_, value_;
  std::size_t base_, at_ = 0;
  const std::string& where_;
  std::uint64_t field_ = 0, number_ = 0, kind_ = 0;
};

SentencePieceFile::Piece read_piece(Message message, std::size_t id, const std::string& where) {
  SentencePieceFile::Piece piece;
  std::int64_t type = 1;
  while (message.next()) {
    if (message.field() == 1) piece.text = message.bytes();
    if (message.field() == 2) piece.score = static_cast<double>(message.real());
    if (message.field() == 3) type = message.integer();
  }
  if (type < 1 || type > 6) fail("{}: piece {} has the type {}, expected 1 to 6", where, id, type);
  piece.type = static_cast<SentencePieceFile::PieceType>(type);
  if (piece.text.empty()) fail("{}: piece {} is empty", where, id);
  if (const auto bad = first_invalid_utf8(piece.text))
    fail("{}: piece {} is not UTF-8 (byte {} of it)", where, id, *bad);
  if (!std::isfinite(piece.score)) fail("{}: the score of piece {} ('{}') is not finite", where, id, piece.text);
  return piece;
}

void read_trainer(Message message, SentencePieceFile& file, const std::string& where) {
  while (message.next()) {
    switch (message.field()) {
      case 3: {
        const std::int64_t kind = message.integer();
        if (kind < 1 || kind > 4) fail("{}: the kind of the model is {}, expected 1 to 4", where, kind);
        file.kind = static_cast<SentencePieceFile::Kind>(kind);
        break;
      }
      case 24:
        file.space_as_suffix = message.flag();
        break;
      case 35:
        file.byte_fallback = message.flag();
        break;
      case 40:
        file.unk = message.integer();
        break;
      case 41:
        file.bos = message.integer();
        break;
      case 42:
        file.eos = message.integer();
        break;
      case 43:
        file.pad = message.integer();
        break;
      default:
        break;
    }
  }
}

void read_normalizer(Message message, SentencePieceFile& file) {
  while (message.next()) {
    switch (message.field()) {
      case 2:
        file.char_map = message.bytes();
        break;
      case 3:
        file.dummy_prefix = message.flag();
        break;
      case 4:
        file.remove_extra_spaces = message.flag();
        break;
      case 5:
        file.escape_spaces = message.flag();
        break;
      default:
        break;
    }
  }
}

/// The ids of the trainer hold only where the pieces agree; the piece <unk> is known by its type.
void check_ids(SentencePieceFile& file, const std::string& where) {
  using Type = SentencePieceFile::PieceType;
  const auto size = static_cast<std::int64_t>(file.pieces.size());
  if (size == 0) fail("{}: is no SentencePiece model: it has no pieces", where);
  for (std::int64_t* id : {&file.bos, &file.eos, &file.pad}) {
    if (*id < 0 || *id >= size || file.pieces[static_cast<std::size_t>(*id)].type != Type::control) *id = -1;
  }
  file.unk = -1;
  for (std::int64_t id = 0; id < size; ++id) {
    if (file.pieces[static_cast<std::size_t>(id)].type != Type::unknown) continue;
    if (file.unk >= 0) fail("{}: the pieces {} and {} are both the unknown one", where, file.unk, id);
    file.unk = id;
  }
  if (file.unk < 0) fail("{}: no piece is the unknown one", where);
}

}  // namespace

SentencePieceFile parse_sentencepiece(std::string_view bytes, const std::string& where) {
  if (bytes.empty()) fail("{}: is empty, expected a SentencePiece model", where);
  SentencePieceFile file;
  Message message(bytes, 0, where);
  while (message.next()) {
    if (message.field() == 1) file.pieces.push_back(read_piece(message.message(), file.pieces.size(), where));
    if (message.field() == 2) read_trainer(message.message(), file, where);
    if (message.field() == 3) read_normalizer(message.message(), file);
  }
  check_ids(file, where);
  return file;
}

}  // namespace filigree::text
