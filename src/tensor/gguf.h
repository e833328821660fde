#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The head of a GGUF file and the blocks in it. No LibTorch here.
///
/// A file is "GGUF", a version, the number of tensors and of settings, the settings, and name, shape, type and place of
/// every tensor; then their bytes. All is little-endian, and shapes are written with the fastest axis first
/// (ggml-org/ggml: docs/gguf.md).
namespace filigree::tensor {

/// Those that can be read. Quantised numbers stand in blocks along the fastest axis (ggml-org/ggml: src/ggml-common.h).
enum class GgufType { f32, f16, bf16, q8_0, q4_k, q5_k, q6_k };

/// "Q4_K"
std::string_view gguf_type_name(GgufType type);

/// Numbers in one block, and its bytes.
std::int64_t block_numbers(GgufType type);
std::int64_t block_bytes(GgufType type);

struct GgufTensor {
  std::string name;
  std::vector<std::int64_t> shape;  ///< slowest axis first, as everywhere else here
  GgufType type = GgufType::f32;
  std::uint64_t begin = 0;  ///< in the file
  std::uint64_t end = 0;
};

struct GgufHeader {
  std::vector<GgufTensor> tensors;
  std::map<std::string, std::string> texts;  ///< settings that are texts, "general.architecture" among them
};

/// Whether the bytes begin like a GGUF file.
bool is_gguf(std::string_view bytes);

/// Reads and checks the head of a file. `bytes` is the whole file, of which the tensors' bytes are not looked at.
/// Error, naming `where` and the tensor, for whatever does not follow the format, and for types that cannot be read.
GgufHeader parse_gguf_header(std::string_view bytes, const std::string& where);

/// The numbers of whole blocks. Each formula stands at its type in the source.
void unpack_gguf(GgufType type, const char* blocks, std::int64_t count, float* out);

/// The value of 16 bits as IEEE 754 half precision, and back (to the nearest, ties to even).
float half_value(std::uint16_t bits);
std::uint16_t half_bits(float value);

}  // namespace filigree::tensor
