#include "language/parallelize.h"

#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "base/text.h"
#include "tensor/recompute.h"

namespace filigree::language {

std::set<Part> parse_parts(const std::vector<std::string>& names) {
  std::set<Part> parts;
  const std::vector<std::string> known = enum_all_names<Part>();
  for (const std::string& name : names) {
    const auto part = enum_from_name<Part>(name);
    if (!part) {
      fail("recompute: unknown part '{}'{} (parts: {})", name, text::did_you_mean(name, known),
           text::join(known, ", "));
    }
    parts.insert(*part);
  }
  return parts;
}

PartRunner recompute_parts(const std::set<Part>& parts) {
  return [parts](Part part, std::size_t, const tensor::Function& function, const std::vector<at::Tensor>& inputs) {
    const bool inside = (part == Part::attention || part == Part::feed_forward) && parts.contains(Part::layer);
    return parts.contains(part) && !inside ? tensor::recompute(function, inputs) : function(inputs);
  };
}

PartRunner observe_parts(std::function<void(const std::string&, const at::Tensor&)> observe) {
  return [observe = std::move(observe)](Part part, std::size_t layer, const tensor::Function& function,
                                        const std::vector<at::Tensor>& inputs) {
    std::vector<at::Tensor> out = function(inputs);
    if (part != Part::layer) observe(fmt::format("layer {}, {}", layer, enum_name(part)), out[0]);
    return out;
  };
}

std::string first_bad_result(const std::function<void(const PartRunner&)>& run) {
  const c10::NoGradGuard no_grad;
  std::string first;
  run(observe_parts([&](const std::string& name, const at::Tensor& result) {
    if (first.empty() && !at::isfinite(result).all().item<bool>()) first = "the result of " + name;
  }));
  return first;
}

}  // namespace filigree::language
