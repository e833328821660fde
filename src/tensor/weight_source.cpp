#include "tensor/weight_source.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "base/text.h"

namespace filigree::tensor {
namespace {

constexpr std::size_t kShown = 10;  // names in a message

void add_list(std::vector<std::string>& parts, std::string_view what, const std::vector<std::string>& names) {
  if (names.empty()) return;
  const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kShown));
  const std::string more = names.size() > kShown ? ", …" : "";
  parts.push_back(fmt::format("{} {}: {}{}", names.size(), what, text::join({names.begin(), end}, ", "), more));
}

void check(const std::vector<WeightShape>& expected, const WeightSource& source, bool subset) {
  std::vector<std::string> missing, unexpected, misshapen;
  std::set<std::string> used;
  for (const WeightShape& one : expected) {
    used.insert(one.name);
    if (!source.has(one.name)) {
      missing.push_back(one.name);
      continue;
    }
    const std::vector<std::int64_t> shape = source.shape(one.name);
    if (shape != one.shape) {
      misshapen.push_back(fmt::format("{} has {}, expected {}", one.name, shape_text(shape), shape_text(one.shape)));
    }
  }
  if (!subset) {
    for (const std::string& name : source.names()) {
      if (used.count(name) == 0) unexpected.push_back(name);
    }
  }
  std::vector<std::string> parts;
  add_list(parts, "missing", missing);
  add_list(parts, "unexpected", unexpected);
  add_list(parts, "of another shape", misshapen);
  if (parts.empty()) return;
  fail("{}: its tensors are not those of the model, so nothing was loaded; {}", source.where(),
       text::join(parts, "; "));
}

class WithoutPrefix : public WeightSource {
 public:
  WithoutPrefix(std::shared_ptr<const WeightSource> source, std::string prefix)
      : source_(std::move(source)), prefix_(std::move(prefix)) {
    for (const std::string& name : source_->names()) {
      if (name.starts_with(prefix_)) names_.push_back(name.substr(prefix_.size()));
    }
  }

  std::string where() const override { return source_->where(); }
  const std::vector<std::string>& names() const override { return names_; }
  bool has(const std::string& name) const override { return source_->has(prefix_ + name); }
  std::vector<std::int64_t> shape(const std::string& name) const override { return source_->shape(prefix_ + name); }
  std::string stored_as(const std::string& name) const override { return source_->stored_as(prefix_ + name); }
  std::int64_t bytes(const std::string& name) const override { return source_->bytes(prefix_ + name); }
  void read(const std::string& name, const at::Tensor& destination) const override {
    source_->read(prefix_ + name, destination);
  }
  void read_rows(const std::string& name, std::int64_t first, std::int64_t count,
                 const at::Tensor& destination) const override {
    source_->read_rows(prefix_ + name, first, count, destination);
  }
  void forget(const std::string& name) const override { source_->forget(prefix_ + name); }
  void announce(const std::vector<std::string>& names) const override {
    std::vector<std::string> full;
    for (const std::string& name : names) full.push_back(prefix_ + name);
    source_->announce(full);
  }

 private:
  std::shared_ptr<const WeightSource> source_;
  std::string prefix_;
  std::vector<std::string> names_;
};

}  // namespace

void WeightSource::read_rows(const std::string& name, std::int64_t first, std::int64_t count,
                             const at::Tensor& destination) const {
  at::Tensor whole = at::empty(shape(name), at::kFloat);
  read(name, whole);
  destination.copy_(whole.narrow(0, first, count));
}

void read_into(const NamedTensors& destination, const WeightSource& source, bool subset) {
  std::vector<WeightShape> expected;
  for (const auto& [name, tensor] : destination) expected.push_back({name, tensor.sizes().vec()});
  check(expected, source, subset);
  const c10::NoGradGuard no_grad;
  for (const auto& [name, tensor] : destination) source.read(name, tensor);
}

void check_shapes(const std::vector<WeightShape>& expected, const WeightSource& source) {
  check(expected, source, false);
}

std::shared_ptr<const WeightSource> without_prefix(std::shared_ptr<const WeightSource> source,
                                                   const std::string& prefix) {
  return std::make_shared<WithoutPrefix>(std::move(source), prefix);
}

}  // namespace filigree::tensor
