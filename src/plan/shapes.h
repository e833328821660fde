#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/visit.h"
#include "plan/search_space.h"
#include "spec/count.h"
#include "spec/model.h"

/// The shapes of models that a search goes through: what stays of a base model, and lists of sizes.
namespace filigree::plan {

/// How wide the dense layers of a shape are.
enum class DenseRule {
  active,  ///< as wide as the experts that one token uses: top_k · width + the shared experts' width, which is the rule
           ///< that Pangu Ultra MoE and DeepSeek-V3 keep (9 · 2048 = 18432)
  hidden,  ///< the base's share of the hidden size, to the nearest multiple of 256
  base     ///< as in the base
};

/// Parameters in billions as spec/count.h counts them: the head counts, multi-token prediction does not.
struct ShapeLimits {
  double total_min_b = 0, total_max_b = std::numeric_limits<double>::infinity();
  double active_min_b = 0, active_max_b = std::numeric_limits<double>::infinity();

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("total_min_b", self.total_min_b, "fewest parameters, billions", non_negative);
    v.optional("total_max_b", self.total_max_b, "most parameters, billions", positive);
    v.optional("active_min_b", self.active_min_b, "fewest active parameters, billions", non_negative);
    v.optional("active_max_b", self.active_max_b, "most active parameters, billions", positive);
  }
};

/// A file of recipes/shapes. Lists that are empty hold the base's value; a list may be written as a range
/// {"from": 56, "to": 70, "step": 2}, ends included.
///
/// Everything not listed stays as in the base, except: key/value heads keep their number for each query head, the shared
/// experts keep their number (their width follows `width`), and the dense layers follow `dense`.
struct ShapeSpace {
  std::string name;
  std::string base;
  std::vector<std::int64_t> layers, hidden, heads, experts, top_k, width;
  DenseRule dense = DenseRule::active;
  ShapeLimits limits;
  spec::Layout layout;             ///< settings that all layouts share
  std::vector<std::string> fixed;  ///< keys of `layout` that were given; filled by load_shapes
  SearchSpace space;               ///< of layouts
  std::vector<std::string> assumptions;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("name", self.name, "what is searched");
    v.required("base", self.base, "a model recipe: what is not listed stays as there");
    v.optional("layers", self.layers, "transformer layers, without multi-token prediction", at_least(1));
    v.optional("hidden", self.hidden, "hidden sizes", at_least(1));
    v.optional("heads", self.heads, "query heads", at_least(1));
    v.optional("experts", self.experts, "routed experts", at_least(1));
    v.optional("top_k", self.top_k, "experts a token uses", at_least(1));
    v.optional("width", self.width, "feed-forward widths of one expert", at_least(1));
    v.optional("dense", self.dense, "width of dense layers: active, hidden or base");
    v.optional("limits", self.limits, "parameters that a shape may have");
    v.optional("layout", self.layout, "settings that all layouts share");
    v.optional("space", self.space, "layouts that are tried for every shape");
    v.optional("assumptions", self.assumptions, "what the lists rest on");
  }
};

/// A space of shapes from JSON; `where` names the origin in messages. Error on an unknown key, an empty list, a range that
/// runs backwards or holds more than 10,000 values, and limits that cross.
ShapeSpace shapes_from_json(Json json, const std::string& where);
ShapeSpace load_shapes(const std::filesystem::path& path);

/// The shapes of a space by number, without a list of them.
class Shapes {
 public:
  /// Error where the base cannot have such shapes: experts are listed and it has none, or it is a hybrid with a pattern.
  Shapes(const ShapeSpace& space, spec::Model base);

  /// All combinations, at most the largest int64.
  std::int64_t size() const { return size_; }

  /// The index-th shape, layers slowest and expert width fastest. Its name has its sizes: "L61 h7680 e256 w2048", with
  /// heads (a) and top_k (k) where several are tried.
  spec::Model shape(std::int64_t index) const;

  /// Why a shape is left out; nullptr where it is not.
  const char* rejects(const spec::Model& model, const spec::Count& count) const;

  const spec::Model& base() const { return base_; }

 private:
  std::int64_t dense_width(const spec::Model& model) const;

  spec::Model base_;
  ShapeLimits limits_;
  DenseRule dense_;
  std::array<std::vector<std::int64_t>, 6> lists_;  // layers, hidden, heads, experts, top_k, width
  std::int64_t size_ = 1;
};

/// Whether two models have the same layers, sizes and experts, whatever their names.
bool same_shape(const spec::Model& a, const spec::Model& b);

/// A shape that is within the limits.
struct Shape {
  spec::Model model;
  spec::Count count;
};

struct AdmittedShapes {
  std::vector<Shape> shapes;
  std::int64_t combinations = 0;
  std::map<std::string, std::int64_t> rejected;  ///< by reason
};

/// Goes through all shapes and keeps those within the limits; rejected + kept = combinations. Error for more than 10
/// million combinations.
AdmittedShapes admitted(const Shapes& shapes);

}  // namespace filigree::plan

template <>
struct filigree::EnumNames<filigree::plan::DenseRule> {
  using E = filigree::plan::DenseRule;
  static constexpr std::array<std::pair<E, std::string_view>, 3> table{
      {{E::active, "active"}, {E::hidden, "hidden"}, {E::base, "base"}}};
};
