#include "tensor/state_dict.h"

#include <algorithm>
#include <set>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "base/text.h"
#include "tensor/device.h"

namespace filigree::tensor {
namespace {

enum class Kind { boolean, whole, real };

Kind kind_of(at::ScalarType type) {
  if (type == at::kBool) return Kind::boolean;
  return c10::isIntegralType(type, false) ? Kind::whole : Kind::real;
}

Kind kind_of(StoredType type) {
  switch (type) {
    case StoredType::boolean:
      return Kind::boolean;
    case StoredType::u8:
    case StoredType::i8:
    case StoredType::i16:
    case StoredType::i32:
    case StoredType::i64:
      return Kind::whole;
    default:
      return Kind::real;
  }
}

/// "2 are missing: a, b" with at most 20 names.
void add_list(std::vector<std::string>& parts, std::string_view what, const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 20;
  if (names.empty()) return;
  const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kShown));
  const std::string more = names.size() > kShown ? ", …" : "";
  parts.push_back(fmt::format("{} {}: {}{}", names.size(), what, text::join({names.begin(), end}, ", "), more));
}

}  // namespace

void load_into(const NamedTensors& destination, const SafeTensors& file, const LoadOptions& options) {
  std::vector<std::string> missing, unexpected, misshapen, mistyped;
  std::vector<std::pair<std::string, at::Tensor>> copies;
  std::set<std::string> used;
  for (const auto& [name, tensor] : destination) {
    const std::string source = options.rename ? options.rename(name) : name;
    used.insert(source);
    if (!file.has(source)) {
      if (options.may_be_missing && options.may_be_missing(name)) continue;
      missing.push_back(source == name ? name : fmt::format("{} (for {})", source, name));
      continue;
    }
    const StoredTensor& stored = file.info(source);
    const std::vector<std::int64_t> shape = tensor.sizes().vec();
    if (stored.shape != shape) {
      misshapen.push_back(fmt::format("{} has {}, expected {}", source, shape_text(stored.shape), shape_text(shape)));
    } else if (kind_of(stored.type) != kind_of(tensor.scalar_type())) {
      mistyped.push_back(
          fmt::format("{} is {}, expected {}", source, enum_name(stored.type), dtype_name(tensor.scalar_type())));
    }
    copies.emplace_back(source, tensor);
  }
  for (const std::string& name : file.names()) {
    if (used.count(name) != 0 || (options.may_be_unexpected && options.may_be_unexpected(name))) continue;
    unexpected.push_back(name);
  }
  std::vector<std::string> parts;
  add_list(parts, "missing", missing);
  add_list(parts, "unexpected", unexpected);
  add_list(parts, "of another shape", misshapen);
  add_list(parts, "of another kind", mistyped);
  if (!parts.empty()) {
    fail("{}: its tensors are not those of the model, so nothing was loaded; {}", file.path().string(),
         text::join(parts, "; "));
  }
  const c10::NoGradGuard no_grad;
  for (auto& [source, tensor] : copies) tensor.copy_(file.get(source, tensor.scalar_type(), tensor.device()));
}

}  // namespace filigree::tensor
