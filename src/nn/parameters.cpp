#include "nn/parameters.h"

#include <set>

namespace filigree::nn {

at::Tensor Parameter::value() const {
  const at::Tensor whole = tensor->detach();
  return slice < 0 ? whole : whole.select(0, slice);
}

at::Tensor Parameter::gradient() const {
  const at::Tensor whole = tensor->grad();
  return !whole.defined() || slice < 0 ? whole : whole.select(0, slice);
}

std::vector<at::Tensor> trained_tensors(const Parameters& parameters) {
  std::set<const at::Tensor*> seen;
  std::vector<at::Tensor> tensors;
  for (const Parameter& parameter : parameters) {
    if (parameter.trained && seen.insert(parameter.tensor).second) tensors.push_back(*parameter.tensor);
  }
  return tensors;
}

std::int64_t count_numbers(const Parameters& parameters) {
  std::int64_t count = 0;
  for (const Parameter& parameter : parameters) count += parameter.value().numel();
  return count;
}

void record_gradients(const Parameters& parameters, bool record) {
  for (const Parameter& parameter : parameters) {
    if (parameter.trained) parameter.tensor->requires_grad_(record);
  }
}

void list_tensor(Parameters& out, const std::string& name, at::Tensor& tensor) {
  if (tensor.defined()) out.push_back({name, &tensor});
}

}  // namespace filigree::nn
