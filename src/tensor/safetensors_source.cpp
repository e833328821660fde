#include <algorithm>
#include <optional>
#include <unordered_map>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/text.h"
#include "tensor/packed.h"
#include "tensor/pieces.h"
#include "tensor/weight_source.h"

/// Weights in safetensors files: plain, 8-bit floats with one scale for a tensor, or packed to 8 or 4 bits.
namespace filigree::tensor {
namespace {

bool is_float8(StoredType type) { return type == StoredType::f8_e5m2 || type == StoredType::f8_e4m3; }

/// Where a weight's numbers are in the file.
struct Stored {
  std::string numbers;
  std::string scale;  ///< "": none
  std::optional<Packing> packing = {};
};

class SafeTensorsSource : public WeightSource {
 public:
  explicit SafeTensorsSource(const SafeTensors& file) : file_(file) {
    for (const std::string& name : file_.names()) {
      if (std::optional<std::pair<std::string, Stored>> weight = weight_of(name)) {
        names_.push_back(weight->first);
        stored_.insert(std::move(*weight));
      }
    }
  }

  std::string where() const override { return file_.path().string(); }
  const std::vector<std::string>& names() const override { return names_; }
  bool has(const std::string& name) const override { return stored_.count(name) != 0; }

  std::vector<std::int64_t> shape(const std::string& name) const override {
    const Stored& stored = find(name);
    std::vector<std::int64_t> shape = file_.info(stored.numbers).shape;
    if (stored.packing == Packing::q4) shape.back() *= 2;
    return shape;
  }

  std::string stored_as(const std::string& name) const override {
    const Stored& stored = find(name);
    if (stored.packing) return std::string(enum_name(*stored.packing));
    return std::string(enum_name(file_.info(stored.numbers).type));
  }

  std::int64_t bytes(const std::string& name) const override {
    const Stored& stored = find(name);
    return bytes_in_file(stored.numbers) + (stored.scale.empty() ? 0 : bytes_in_file(stored.scale));
  }

  void read(const std::string& name, const at::Tensor& destination) const override {
    const std::vector<std::int64_t> sizes = shape(name);
    read_part(name, 0, sizes.empty() ? 1 : sizes[0], destination);
    forget(name);
  }

  void read_rows(const std::string& name, std::int64_t first, std::int64_t count,
                 const at::Tensor& destination) const override {
    read_part(name, first, count, destination);
  }

  void forget(const std::string& name) const override { file_.forget(find(name).numbers); }
  void announce(const std::vector<std::string>& names) const override {
    for (const std::string& name : names) file_.will_need(find(name).numbers);
  }

 private:
  const Stored& find(const std::string& name) const {
    const auto it = stored_.find(name);
    if (it == stored_.end()) fail("{}: holds no tensor '{}'{}", where(), name, text::did_you_mean(name, names_));
    return it->second;
  }

  std::int64_t bytes_in_file(const std::string& name) const {
    const StoredTensor& tensor = file_.info(name);
    return static_cast<std::int64_t>(tensor.end - tensor.begin);
  }

  /// The weight that this tensor of the file holds; none where it only serves another one.
  std::optional<std::pair<std::string, Stored>> weight_of(const std::string& name) const {
    if (name == "scaled_fp8" || name.ends_with(".scaled_fp8")) return {};  // how to multiply, which is exact here
    for (const char* end : {".scale_weight", ".weight_scale", ".scale_input", ".input_scale"}) {
      if (name.ends_with(end) && float8_weight(name.substr(0, name.size() - std::string_view(end).size()))) return {};
    }
    for (const Packing packing : {Packing::q8, Packing::q4}) {
      const std::string end = fmt::format(".{}", enum_name(packing));
      if (name.ends_with(end + "_scale") && file_.has(name.substr(0, name.size() - 6))) return {};
      if (!name.ends_with(end)) continue;
      check_packed(name, packing);
      return {{name.substr(0, name.size() - end.size()), {name, name + "_scale", packing}}};
    }
    Stored stored{name, ""};
    if (name.ends_with(".weight") && is_float8(file_.info(name).type)) {
      const std::string owner = name.substr(0, name.size() - 7);
      for (const char* end : {".scale_weight", ".weight_scale"}) {
        if (file_.has(owner + end)) stored.scale = owner + end;
      }
    }
    return {{name, stored}};
  }

  bool float8_weight(const std::string& owner) const {
    return file_.has(owner + ".weight") && is_float8(file_.info(owner + ".weight").type);
  }

  void check_packed(const std::string& name, Packing packing) const {
    const StoredTensor& bytes = file_.info(name);
    const StoredType type = packing == Packing::q8 ? StoredType::i8 : StoredType::u8;
    std::vector<std::int64_t> expected = bytes.shape;
    if (!expected.empty()) expected.back() = packed_groups(bytes.shape.back() * (packing == Packing::q4 ? 2 : 1));
    if (bytes.type != type || bytes.shape.size() < 2 || !file_.has(name + "_scale") ||
        file_.info(name + "_scale").type != StoredType::f16 || file_.info(name + "_scale").shape != expected) {
      fail("{}: tensor '{}' is not packed as it must be: {} of whole numbers with '{}_scale' in F16", where(), name,
           enum_name(type), name);
    }
  }

  at::Tensor factor(const std::string& name, const Stored& stored) const {
    const at::Tensor factor = file_.get(stored.scale, at::kFloat);
    if (factor.numel() != 1) {
      fail("{}: tensor '{}' has {} numbers, expected one scale for the whole of '{}'", where(), stored.scale,
           factor.numel(), name);
    }
    return factor.reshape({});
  }

  /// Rows along the first axis; all of a tensor without axes.
  void read_part(const std::string& name, std::int64_t first, std::int64_t count, const at::Tensor& destination) const {
    const Stored& stored = find(name);
    if (stored.packing) return read_packed(name, stored, first, destination);
    at::Tensor numbers = file_.get(stored.numbers);
    if (numbers.dim() > 0) numbers = numbers.narrow(0, first, count);
    const StoredType type = file_.info(stored.numbers).type;
    if (is_float8(type)) {
      const at::Tensor values = float8_to_float32(numbers, type == StoredType::f8_e4m3 ? Float8::e4m3 : Float8::e5m2);
      destination.copy_(stored.scale.empty() ? values : values * factor(name, stored));
    } else if (numbers.is_floating_point()) {
      destination.copy_(numbers);
    } else {
      fail("{}: tensor '{}' is of {}, expected floating-point numbers", where(), name, stored_as(name));
    }
  }

  void read_packed(const std::string& name, const Stored& stored, std::int64_t first_row,
                   const at::Tensor& destination) const {
    const at::Tensor bytes = file_.get(stored.numbers), scales = file_.get(stored.scale).contiguous();
    const std::vector<std::int64_t> sizes = shape(name);
    const std::int64_t numbers = sizes.back();
    if (destination.numel() == 0) return;
    const std::int64_t row_bytes = packed_row_bytes(*stored.packing, numbers), groups = packed_groups(numbers);
    // Rows along the first axis may be several along the last.
    const std::int64_t begin = sizes.size() > 1 ? bytes.numel() / row_bytes / sizes[0] * first_row : 0;
    const char* from = static_cast<const char*>(bytes.data_ptr()) + begin * row_bytes;
    const auto* scale = static_cast<const std::uint16_t*>(scales.data_ptr()) + begin * groups;
    fill_rows(destination, destination.numel() / numbers, [&](std::int64_t first, std::int64_t count, float* out) {
      for (std::int64_t row = first; row < first + count; ++row, out += numbers) {
        unpack_row(*stored.packing, from + row * row_bytes, scale + row * groups, numbers, out);
      }
    });
  }

  SafeTensors file_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, Stored> stored_;
};

}  // namespace

std::shared_ptr<const WeightSource> safetensors_source(const SafeTensors& file) {
  return std::make_shared<SafeTensorsSource>(file);
}

}  // namespace filigree::tensor
