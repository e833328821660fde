#include "support.h"
#include "tensor/safetensors_header.h"

/// Any bytes as a safetensors file and as an index of shards; a header that was read is written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace filigree;
  const std::string_view bytes = fuzz::as_text(data, size);
  fuzz::refuse_or_read([&] {
    const tensor::SafeTensorsHeader header = tensor::parse_safetensors_header(bytes, "input");
    std::uint64_t covered = 0;
    for (const tensor::StoredTensor& stored : header.tensors) {
      fuzz::require(stored.begin == covered && stored.end >= stored.begin);
      fuzz::require(stored.end <= bytes.size() - header.data_start);
      covered = stored.end;
    }
    std::string written = tensor::safetensors_header_bytes(header.tensors, header.metadata);
    fuzz::require(written.size() % 8 == 0);
    const std::size_t data_start = written.size();
    written += bytes.substr(header.data_start);
    const tensor::SafeTensorsHeader again = tensor::parse_safetensors_header(written, "output");
    fuzz::require(again.tensors == header.tensors && again.metadata == header.metadata);
    fuzz::require(again.data_start == data_start);
  });
  fuzz::refuse_or_read([&] {
    for (const auto& [name, file] : tensor::parse_safetensors_index(bytes, "input")) {
      fuzz::require(!file.empty() && file.find('/') == std::string::npos);
    }
  });
  return 0;
}
