#include "plan/split.h"

#include <algorithm>
#include <utility>

#include "plan/stages.h"
#include "spec/count.h"
#include "spec/resolve.h"

namespace filigree::plan {
namespace {

using Sizes = std::vector<std::int64_t>;

/// Forward operations of layers 0 … i − 1 in the order of the pipeline, multi-token prediction included.
std::vector<double> operations_before(const spec::Layout& layout, const spec::Model& model) {
  const double seq = static_cast<double>(layout.seq);
  std::vector<double> before{0};
  for (const spec::LayerKind kind : spec::layer_kinds(model)) {
    before.push_back(before.back() + spec::layer_flops(model, kind, seq).total());
  }
  for (std::int64_t i = 0; i < layout.noop_layers; ++i) before.push_back(before.back());
  if (model.mtp_layers > 0) {
    const double each = spec::mtp_flops(model, seq).total() / static_cast<double>(model.mtp_layers);
    for (std::int64_t i = 0; i < model.mtp_layers; ++i) before.push_back(before.back() + each);
  }
  return before;
}

struct Fullness {
  double fullest = 0, squares = 0;
  bool operator<(const Fullness& other) const {
    // Differences in the last digits are none.
    if (fullest < other.fullest * (1 - 1e-12)) return true;
    return fullest <= other.fullest * (1 + 1e-12) && squares < other.squares * (1 - 1e-12);
  }
};

Fullness fullness(const Sizes& sizes, const std::vector<double>& before, const spec::Layout& layout, double head) {
  std::vector<double> stages(static_cast<std::size_t>(layout.pp));
  std::size_t begin = 0;
  for (std::size_t part = 0; part < sizes.size(); ++part) {
    const std::size_t end = begin + static_cast<std::size_t>(sizes[part]);
    double& stage = stages[static_cast<std::size_t>(place_of(layout, static_cast<std::int64_t>(part)).stage)];
    stage += before[end] - before[begin] + (part + 1 == sizes.size() ? head : 0);
    begin = end;
  }
  Fullness out;
  for (const double stage : stages) {
    out.fullest = std::max(out.fullest, stage);
    out.squares += stage * stage;
  }
  return out;
}

/// x layers, then the rest as even as can be with the short chunks behind, then y layers.
Sizes between(std::int64_t layers, std::int64_t chunks, std::int64_t x, std::int64_t y) {
  const std::int64_t middle = chunks - 2, rest = layers - x - y;
  Sizes sizes{x};
  for (std::int64_t i = 0; i < middle; ++i) sizes.push_back(rest / middle + (i < rest % middle ? 1 : 0));
  sizes.push_back(y);
  return sizes;
}

std::optional<SplitChoice> balanced(const spec::Layout& layout, const spec::Model& model) {
  const std::int64_t layers = spec::pipeline_layers(layout, model), chunks = layout.pp * layout.vpp;
  const bool no_such = layout.schedule == spec::Schedule::dualpipe_v && layout.vpp != 2;
  if (no_such || chunks < 2 || chunks > layers) return std::nullopt;
  const std::vector<double> before = operations_before(layout, model);
  const double head = spec::head_flops(model).total();
  const Sizes even = spec::chunk_layers(layout, model);
  Sizes best = even;
  Fullness least = fullness(even, before, layout, head);
  const std::int64_t share = (layers + chunks - 1) / chunks;
  const auto consider = [&](Sizes sizes) {
    const Fullness found = fullness(sizes, before, layout, head);
    if (found < least) best = std::move(sizes), least = found;
  };
  for (std::int64_t y = share; y >= 0; --y) {
    if (chunks == 2) {
      if (layers >= y) consider({layers - y, y});
      continue;
    }
    for (std::int64_t x = share; x >= 0; --x) {
      if (x + y <= layers) consider(between(layers, chunks, x, y));
    }
  }
  if (best == even) return std::nullopt;
  return SplitChoice{best, layout.noop_layers};
}

}  // namespace

std::optional<SplitChoice> choose_split(Split split, const spec::Layout& layout, const spec::Model& model) {
  switch (split) {
    case Split::even:
      break;
    case Split::noop: {
      const std::int64_t chunks = layout.pp * layout.vpp, layers = spec::pipeline_layers(layout, model);
      const std::int64_t more = (chunks - layers % chunks) % chunks;
      // More empty chunks than full ones would be another pipeline.
      if (more > 0 && more < layers) return SplitChoice{{}, layout.noop_layers + more};
      break;
    }
    case Split::balanced:
      return balanced(layout, model);
  }
  return std::nullopt;
}

}  // namespace filigree::plan
