#include <unordered_map>

#include <ATen/ATen.h>

#include "base/error.h"
#include "tensor/weight_source.h"

/// Weights in safetensors files: plain, or 8-bit floats with one scale for a tensor.
namespace filigree::tensor {
namespace {

bool is_float8(StoredType type) { return type == StoredType::f8_e4m3 || type == StoredType::f8_e5m2; }

class SafeTensorsSource : public WeightSource {
 public:
  explicit SafeTensorsSource(const SafeTensors& file) : file_(file) {
    for (const std::string& name : file_.names()) {
      if (is_mark(name)) continue;
      if (const std::string owner = owner_of_scale(name); !owner.empty()) {
        scales_[owner] = name;
      } else {
        names_.push_back(name);
      }
    }
  }

  std::string where() const override { return file_.path().string(); }
  const std::vector<std::string>& names() const override { return names_; }
  bool has(const std::string& name) const override { return file_.has(name); }
  std::vector<std::int64_t> shape(const std::string& name) const override { return file_.info(name).shape; }
  std::string stored_as(const std::string& name) const override {
    return std::string(enum_name(file_.info(name).type)) + (scales_.count(name) != 0 ? " with a scale" : "");
  }
  std::int64_t bytes(const std::string& name) const override {
    const StoredTensor& stored = file_.info(name);
    return static_cast<std::int64_t>(stored.end - stored.begin);
  }

  void read(const std::string& name, const at::Tensor& destination) const override {
    const auto scale = scales_.find(name);
    if (scale == scales_.end()) {
      const bool bytes = is_float8(file_.info(name).type);
      destination.copy_(bytes ? file_.get(name, at::kFloat) : file_.get(name));
      return;
    }
    const at::Tensor factor = file_.get(scale->second, at::kFloat);
    if (factor.numel() != 1) {
      fail("{}: tensor '{}' has {} numbers, expected one scale for the whole of '{}'", where(), scale->second,
           factor.numel(), name);
    }
    destination.copy_(file_.get(name, at::kFloat) * factor.reshape({}));
  }

 private:
  /// "scaled_fp8" says in its type how products are to be computed, which is of no use here.
  static bool is_mark(const std::string& name) { return name == "scaled_fp8" || name.ends_with(".scaled_fp8"); }

  /// The float8 tensor whose scale this is, or "". Scales of the inputs belong to none: products are exact here.
  std::string owner_of_scale(const std::string& name) const {
    for (const std::string_view end : {".scale_weight", ".weight_scale"}) {
      if (!name.ends_with(end)) continue;
      const std::string owner = name.substr(0, name.size() - end.size()) + ".weight";
      if (file_.has(owner) && is_float8(file_.info(owner).type)) return owner;
    }
    for (const std::string_view end : {".scale_input", ".input_scale"}) {
      if (!name.ends_with(end)) continue;
      const std::string owner = name.substr(0, name.size() - end.size()) + ".weight";
      if (file_.has(owner) && is_float8(file_.info(owner).type)) return "(input of) " + owner;
    }
    return "";
  }

  SafeTensors file_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::string> scales_;  // by the tensor they belong to
};

}  // namespace

std::shared_ptr<const WeightSource> safetensors_source(const SafeTensors& file) {
  return std::make_shared<SafeTensorsSource>(file);
}

}  // namespace filigree::tensor
