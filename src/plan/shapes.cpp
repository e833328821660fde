#include "plan/shapes.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "spec/resolve.h"

namespace filigree::plan {
namespace {

constexpr std::array<const char*, 6> kLists{"layers", "hidden", "heads", "experts", "top_k", "width"};

struct Range {
  std::int64_t from = 0, to = 0, step = 1;
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("from", self.from, "first value", at_least(1));
    v.required("to", self.to, "last value", at_least(1));
    v.optional("step", self.step, "between values", at_least(1));
  }
};

/// A range as the list that it stands for; anything else as it is.
Json expand(const Json& json, const std::string& where, const char* key) {
  if (!json.is_object()) return json;
  const auto range = from_json<Range>(json, fmt::format("{}, {}", where, key));
  if (range.to < range.from) fail("{}: {} runs from {} down to {}; swap the two", where, key, range.from, range.to);
  constexpr std::int64_t kMost = 10'000;
  if ((range.to - range.from) / range.step >= kMost) {
    fail("{}: {} holds more than {} values; take a larger step", where, key, kMost);
  }
  Json list = Json::array();
  for (std::int64_t i = 0; i <= (range.to - range.from) / range.step; ++i) list.push_back(range.from + i * range.step);
  return list;
}

void check_limits(const ShapeLimits& limits, const std::string& where) {
  const auto crossed = [&](const char* what, double low, double high) {
    if (low > high) {
      fail("{}: limits.{}_min_b ({:g}) is above limits.{}_max_b ({:g}), so no shape can keep both", where, what, low,
           what, high);
    }
  };
  crossed("total", limits.total_min_b, limits.total_max_b);
  crossed("active", limits.active_min_b, limits.active_max_b);
}

std::vector<std::int64_t> listed(std::vector<std::int64_t> list, std::int64_t base) {
  if (list.empty()) return {base};
  std::vector<std::int64_t> once;
  for (const std::int64_t value : list) {
    if (std::find(once.begin(), once.end(), value) == once.end()) once.push_back(value);
  }
  return once;
}

}  // namespace

ShapeSpace shapes_from_json(Json json, const std::string& where) {
  std::vector<std::string> fixed;
  if (json.is_object()) {
    for (const char* key : kLists) {
      if (!json.contains(key)) continue;
      json[key] = expand(json[key], where, key);
      if (json[key].is_array() && json[key].empty()) {
        fail("{}: {} is an empty list; leave it out to keep the base's value", where, key);
      }
    }
    if (json.contains("layout") && json["layout"].is_object()) {
      for (const auto& [key, value] : json["layout"].items()) fixed.push_back(key);
    }
  }
  auto space = from_json<ShapeSpace>(json, where);
  space.fixed = std::move(fixed);
  check_limits(space.limits, where);
  return space;
}

ShapeSpace load_shapes(const std::filesystem::path& path) { return shapes_from_json(load_json(path), path.string()); }

Shapes::Shapes(const ShapeSpace& space, spec::Model base)
    : base_(std::move(base)), limits_(space.limits), dense_(space.dense) {
  if (!base_.layer_pattern.empty()) {
    fail("{}: shapes of {} cannot be searched, because a pattern fixes its layers one by one; choose another base",
         space.name, base_.name);
  }
  if (!base_.experts && !(space.experts.empty() && space.top_k.empty() && space.width.empty())) {
    fail("{}: experts, top_k or width are listed, but the base {} has no experts", space.name, base_.name);
  }
  const spec::Experts experts = base_.experts.value_or(spec::Experts{});
  lists_ = {listed(space.layers, base_.layers),         listed(space.hidden, base_.hidden),
            listed(space.heads, base_.attention.heads), listed(space.experts, experts.routed),
            listed(space.top_k, experts.top_k),         listed(space.width, experts.width)};
  for (const auto& list : lists_) size_ = spec::saturating_product({size_, static_cast<std::int64_t>(list.size())});
}

std::int64_t Shapes::dense_width(const spec::Model& model) const {
  if (dense_ == DenseRule::active && model.experts && base_.dense_width > 0) {
    return model.experts->top_k * model.experts->width + model.experts->shared_width;
  }
  if (dense_ == DenseRule::base) return base_.dense_width;
  constexpr double kStep = 256;
  const double share = static_cast<double>(base_.dense_width) / static_cast<double>(base_.hidden);
  return static_cast<std::int64_t>(std::round(share * static_cast<double>(model.hidden) / kStep) * kStep);
}

spec::Model Shapes::shape(std::int64_t index) const {
  std::array<std::int64_t, 6> at{};
  for (std::size_t i = lists_.size(); i-- > 0;) {
    const auto count = static_cast<std::int64_t>(lists_[i].size());
    at[i] = lists_[i][static_cast<std::size_t>(index % count)];
    index /= count;
  }
  const auto [layers, hidden, heads, routed, top_k, width] = at;
  spec::Model model = base_;
  model.name = fmt::format("L{} h{}", layers, hidden);
  model.layers = layers;
  model.hidden = hidden;
  model.attention.kv_heads =
      std::max<std::int64_t>(1, base_.attention.kv_heads * heads / std::max<std::int64_t>(1, base_.attention.heads));
  model.attention.heads = heads;
  if (lists_[2].size() > 1) model.name += fmt::format(" a{}", heads);
  if (model.experts) {
    model.experts->routed = routed;
    model.experts->top_k = top_k;
    model.experts->shared_width = base_.experts->shared_width * width / base_.experts->width;
    model.experts->width = width;
    model.name += fmt::format(" e{} w{}", routed, width);
    if (lists_[4].size() > 1) model.name += fmt::format(" k{}", top_k);
  }
  model.dense_width = dense_width(model);
  return model;
}

const char* Shapes::rejects(const spec::Model& model, const spec::Count& count) const {
  constexpr double kBillion = 1e9;
  const double total = static_cast<double>(count.total) / kBillion,
               active = static_cast<double>(count.active) / kBillion;
  if (model.dense_prefix > model.layers) return "fewer layers than the base's leading dense ones";
  if (model.experts && model.experts->top_k > model.experts->routed) return "top_k over the number of experts";
  if (total < limits_.total_min_b) return "too few parameters";
  if (total > limits_.total_max_b) return "too many parameters";
  if (active < limits_.active_min_b) return "too few active parameters";
  if (active > limits_.active_max_b) return "too many active parameters";
  return nullptr;
}

bool same_shape(const spec::Model& a, const spec::Model& b) {
  if (a.experts.has_value() != b.experts.has_value()) return false;
  const spec::Experts none, &ea = a.experts ? *a.experts : none, &eb = b.experts ? *b.experts : none;
  return a.layers == b.layers && a.hidden == b.hidden && a.attention.heads == b.attention.heads &&
         a.attention.kv_heads == b.attention.kv_heads && a.dense_width == b.dense_width && ea.routed == eb.routed &&
         ea.top_k == eb.top_k && ea.width == eb.width && ea.shared_width == eb.shared_width;
}

AdmittedShapes admitted(const Shapes& shapes) {
  constexpr std::int64_t kMost = 10'000'000;
  if (shapes.size() > kMost) {
    fail("shapes of {}: the lists make {} combinations, more than {}; shorten them or take larger steps",
         shapes.base().name, shapes.size(), kMost);
  }
  AdmittedShapes out;
  for (std::int64_t i = 0; i < shapes.size() && !cancelled(); ++i) {
    Shape shape{shapes.shape(i), {}};
    ++out.combinations;
    // The parameters of more dense layers than there are cannot be counted.
    if (shape.model.dense_prefix <= shape.model.layers) shape.count = spec::count(shape.model);
    if (const char* reason = shapes.rejects(shape.model, shape.count)) {
      ++out.rejected[reason];
    } else {
      out.shapes.push_back(std::move(shape));
    }
  }
  return out;
}

}  // namespace filigree::plan
