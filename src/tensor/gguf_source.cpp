#include <algorithm>
#include <unordered_map>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/text.h"
#include "tensor/gguf.h"
#include "tensor/mapped_file.h"
#include "tensor/pieces.h"
#include "tensor/weight_source.h"

/// Weights in GGUF files.
namespace filigree::tensor {
namespace {

class GgufSource : public WeightSource {
 public:
  explicit GgufSource(const std::filesystem::path& path) : where_(path.string()), file_(MappedFile::open(path)) {
    for (GgufTensor& tensor : parse_gguf_header(file_->bytes(), where_).tensors) {
      names_.push_back(tensor.name);
      tensors_.emplace(tensor.name, std::move(tensor));
    }
  }

  std::string where() const override { return where_; }
  const std::vector<std::string>& names() const override { return names_; }
  bool has(const std::string& name) const override { return tensors_.count(name) != 0; }
  std::vector<std::int64_t> shape(const std::string& name) const override { return find(name).shape; }
  std::string stored_as(const std::string& name) const override { return std::string(gguf_type_name(find(name).type)); }
  std::int64_t bytes(const std::string& name) const override {
    return static_cast<std::int64_t>(find(name).end - find(name).begin);
  }

  void read(const std::string& name, const at::Tensor& destination) const override {
    const GgufTensor& tensor = find(name);
    FILIGREE_ASSERT(destination.sizes() == at::IntArrayRef(tensor.shape));
    unpack(tensor, 0, destination);
    forget(name);
  }

  void read_rows(const std::string& name, std::int64_t first, std::int64_t count,
                 const at::Tensor& destination) const override {
    const GgufTensor& tensor = find(name);
    FILIGREE_ASSERT(destination.dim() > 0 && destination.size(0) == count);
    const std::int64_t begin = destination.numel() / std::max<std::int64_t>(count, 1) * first;
    // Rows may begin within a block where a converter has folded the shape.
    if (begin % block_numbers(tensor.type) != 0 || destination.numel() % block_numbers(tensor.type) != 0) {
      return WeightSource::read_rows(name, first, count, destination);
    }
    unpack(tensor, begin, destination);
  }

  void forget(const std::string& name) const override {
    file_->forget(find(name).begin, find(name).end - find(name).begin);
  }
  void announce(const std::vector<std::string>& names) const override {
    for (const std::string& name : names) file_->will_need(find(name).begin, find(name).end - find(name).begin);
  }

 private:
  /// The numbers from `begin` on. A row here is one block, so that it does not matter how the shape was folded.
  void unpack(const GgufTensor& tensor, std::int64_t begin, const at::Tensor& destination) const {
    const std::int64_t numbers = block_numbers(tensor.type), bytes = block_bytes(tensor.type);
    const char* data = file_->data() + tensor.begin + begin / numbers * bytes;
    fill_rows(destination, destination.numel() / numbers, [&](std::int64_t first, std::int64_t count, float* out) {
      unpack_gguf(tensor.type, data + first * bytes, count * numbers, out);
    });
  }

  const GgufTensor& find(const std::string& name) const {
    const auto it = tensors_.find(name);
    if (it == tensors_.end()) fail("{}: holds no tensor '{}'{}", where_, name, text::did_you_mean(name, names_));
    return it->second;
  }

  std::string where_;
  std::shared_ptr<MappedFile> file_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, GgufTensor> tensors_;
};

/// The GGUF file of a folder that has one and no safetensors; else the path itself.
std::filesystem::path only_gguf(const std::filesystem::path& path) {
  std::error_code code;
  std::filesystem::path found = path;
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path, code)) {
    const std::string end = entry.path().extension().string();
    if (end == ".safetensors") return path;
    if (end == ".gguf" && ++count == 1) found = entry.path();
  }
  return count == 1 ? found : path;
}

}  // namespace

std::shared_ptr<const WeightSource> gguf_source(const std::filesystem::path& path) {
  return std::make_shared<GgufSource>(path);
}

std::shared_ptr<const WeightSource> open_weights(const std::filesystem::path& path) {
  const std::filesystem::path file = only_gguf(path);
  std::error_code code;
  if (std::filesystem::is_regular_file(file, code) && is_gguf(MappedFile::open(file)->bytes().substr(0, 4))) {
    return gguf_source(file);
  }
  return safetensors_source(SafeTensors::open(path));
}

}  // namespace filigree::tensor
