#include <vector>

#include "support.h"
#include "tensor/gguf.h"

/// Any bytes as a GGUF file; every tensor of a head that was read is unpacked.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace filigree;
  const std::string_view bytes = fuzz::as_text(data, size);
  fuzz::refuse_or_read([&] {
    for (const tensor::GgufTensor& one : tensor::parse_gguf_header(bytes, "input").tensors) {
      fuzz::require(one.begin <= one.end && one.end <= bytes.size());
      std::int64_t count = 1;
      for (const std::int64_t axis : one.shape) count *= axis;
      std::vector<float> out(static_cast<std::size_t>(count));
      tensor::unpack_gguf(one.type, bytes.data() + one.begin, count, out.data());
    }
  });
  return 0;
}
