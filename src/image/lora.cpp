#include "image/lora.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"

namespace filigree::image {
namespace {

/// What one file says about one weight.
struct Change {
  std::string down, up, alpha, whole;  ///< names in the file; "": none
};

struct OpenLora {
  LoraFile file;
  std::shared_ptr<const tensor::WeightSource> tensors;
  std::unordered_map<std::string, Change> changes;  ///< by the weight's name
};

constexpr std::array<const char*, 4> kDotted{"transformer.", "diffusion_model.", "model.diffusion_model.", ""};
constexpr std::array<const char*, 3> kUnderscored{"lycoris_", "lora_transformer_", "lora_unet_"};

/// "X.weight" by X, and by X with underscores.
class ModelNames {
 public:
  explicit ModelNames(const tensor::WeightSource& source) : source_(source) {
    for (const std::string& name : source.names()) {
      if (!name.ends_with(".weight")) continue;
      std::string flat = name.substr(0, name.size() - 7);
      std::replace(flat.begin(), flat.end(), '.', '_');
      flat_.emplace(std::move(flat), name);
    }
  }

  /// The weight that a module's name in a file means; "" for none.
  std::string weight(const std::string& module) const {
    for (const char* prefix : kDotted) {
      if (!module.starts_with(prefix)) continue;
      const std::string name = module.substr(std::string_view(prefix).size()) + ".weight";
      if (source_.has(name)) return name;
    }
    for (const char* prefix : kUnderscored) {
      if (!module.starts_with(prefix)) continue;
      const auto it = flat_.find(module.substr(std::string_view(prefix).size()));
      if (it != flat_.end()) return it->second;
    }
    return "";
  }

  /// The tensor that a name in a file is itself.
  std::string whole(const std::string& name) const {
    for (const char* prefix : kDotted) {
      if (name.starts_with(prefix) && source_.has(name.substr(std::string_view(prefix).size()))) {
        return name.substr(std::string_view(prefix).size());
      }
    }
    return "";
  }

 private:
  const tensor::WeightSource& source_;
  std::unordered_map<std::string, std::string> flat_;
};

/// Puts one tensor of a file where it belongs.
void sort_in(const std::string& name, const ModelNames& model, OpenLora& lora) {
  struct Ending {
    const char* text;
    std::string Change::*field;
  };
  static constexpr std::array<Ending, 7> endings{{{".lora_A.weight", &Change::down},
                                                  {".lora_B.weight", &Change::up},
                                                  {".lora_A.default.weight", &Change::down},
                                                  {".lora_B.default.weight", &Change::up},
                                                  {".lora_down.weight", &Change::down},
                                                  {".lora_up.weight", &Change::up},
                                                  {".alpha", &Change::alpha}}};
  for (const auto& [text, field] : endings) {
    if (!name.ends_with(text)) continue;
    const std::string weight = model.weight(name.substr(0, name.size() - std::string_view(text).size()));
    if (!weight.empty()) lora.changes[weight].*field = name;
    return;
  }
  const std::string whole = model.whole(name);
  if (!whole.empty()) lora.changes[whole].whole = name;
}

std::vector<std::int64_t> shape_or_none(const OpenLora& lora, const std::string& name) {
  return name.empty() ? std::vector<std::int64_t>{} : lora.tensors->shape(name);
}

void check(const std::string& weight, const std::vector<std::int64_t>& shape, const Change& change,
           const OpenLora& lora) {
  const std::string& where = lora.file.path;
  if (!change.whole.empty() && lora.tensors->shape(change.whole) != shape) {
    fail("{}: '{}' has {}, but the model's has {}", where, change.whole,
         tensor::shape_text(lora.tensors->shape(change.whole)), tensor::shape_text(shape));
  }
  if (change.down.empty() && change.up.empty()) return;
  if (change.down.empty() || change.up.empty()) {
    fail("{}: has only one half of the pair that changes '{}' ('{}')", where, weight,
         change.down.empty() ? change.up : change.down);
  }
  const std::vector<std::int64_t> down = shape_or_none(lora, change.down), up = shape_or_none(lora, change.up);
  if (shape.size() != 2 || down.size() != 2 || up.size() != 2 || down[1] != shape[1] || up[0] != shape[0] ||
      down[0] != up[1] || down[0] < 1) {
    fail("{}: '{}' has {} and '{}' has {}, which do not make up the model's {}", where, change.up,
         tensor::shape_text(up), change.down, tensor::shape_text(down), tensor::shape_text(shape));
  }
}

class WithLoras : public tensor::WeightSource {
 public:
  WithLoras(std::shared_ptr<const tensor::WeightSource> source, std::vector<OpenLora> loras)
      : source_(std::move(source)), loras_(std::move(loras)) {}

  std::string where() const override { return source_->where(); }
  const std::vector<std::string>& names() const override { return source_->names(); }
  bool has(const std::string& name) const override { return source_->has(name); }
  std::vector<std::int64_t> shape(const std::string& name) const override { return source_->shape(name); }
  std::string stored_as(const std::string& name) const override { return source_->stored_as(name); }
  std::int64_t bytes(const std::string& name) const override { return source_->bytes(name); }
  void forget(const std::string& name) const override { source_->forget(name); }
  void announce(const std::vector<std::string>& names) const override { source_->announce(names); }

  void read(const std::string& name, const at::Tensor& destination) const override {
    const bool changed =
        std::any_of(loras_.begin(), loras_.end(), [&](const OpenLora& lora) { return lora.changes.count(name) != 0; });
    if (!changed) return source_->read(name, destination);
    const c10::NoGradGuard no_grad;
    at::Tensor weight = at::empty(destination.sizes(), at::kFloat);
    source_->read(name, weight);
    for (const OpenLora& lora : loras_) {
      const auto change = lora.changes.find(name);
      if (change != lora.changes.end()) apply(lora, change->second, weight);
    }
    destination.copy_(weight);
  }

 private:
  static at::Tensor get(const OpenLora& lora, const std::string& name) {
    at::Tensor tensor = at::empty(lora.tensors->shape(name), at::kFloat);
    lora.tensors->read(name, tensor);
    return tensor;
  }

  static void apply(const OpenLora& lora, const Change& change, at::Tensor& weight) {
    if (!change.whole.empty()) weight.lerp_(get(lora, change.whole), lora.file.strength);
    if (change.down.empty()) return;
    const at::Tensor down = get(lora, change.down), up = get(lora, change.up);
    double factor = lora.file.strength;
    if (!change.alpha.empty())
      factor *= get(lora, change.alpha).reshape({-1})[0].item<double>() / static_cast<double>(down.size(0));
    weight.addmm_(up, down, 1, factor);
  }

  std::shared_ptr<const tensor::WeightSource> source_;
  std::vector<OpenLora> loras_;
};

}  // namespace

std::shared_ptr<const tensor::WeightSource> with_loras(std::shared_ptr<const tensor::WeightSource> source,
                                                       const std::vector<LoraFile>& files) {
  if (files.empty()) return source;
  const ModelNames model(*source);
  std::vector<OpenLora> loras;
  for (const LoraFile& file : files) {
    OpenLora lora{file, tensor::open_weights(file.path), {}};
    for (const std::string& name : lora.tensors->names()) sort_in(name, model, lora);
    std::erase_if(lora.changes, [](const auto& entry) {
      return entry.second.down.empty() && entry.second.up.empty() && entry.second.whole.empty();
    });
    if (lora.changes.empty()) {
      const std::string example = lora.tensors->names().empty() ? "" : lora.tensors->names().front();
      fail("{}: changes no weight of this model; it is made for another one (its first tensor is '{}')", file.path,
           example);
    }
    for (const auto& [weight, change] : lora.changes) check(weight, source->shape(weight), change, lora);
    loras.push_back(std::move(lora));
  }
  return std::make_shared<WithLoras>(std::move(source), std::move(loras));
}

}  // namespace filigree::image
