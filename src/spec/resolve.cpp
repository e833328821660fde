#include "spec/resolve.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <string>

#include "base/error.h"

namespace filigree::spec {
namespace {

std::int64_t replica_devices(const Layout& layout) { return saturating_product({layout.tp, layout.cp, layout.pp}); }

[[noreturn]] void wrong_devices(const Layout& layout) {
  const std::int64_t replica = replica_devices(layout);
  const std::int64_t below = layout.devices / replica * replica;
  // Compared so because below + replica may not fit.
  const std::string above =
      below > std::numeric_limits<std::int64_t>::max() - replica ? "" : std::to_string(below + replica);
  std::string nearest = below > 0 ? std::to_string(below) : "";
  if (!above.empty()) nearest += (nearest.empty() ? "" : " or ") + above;
  fail("layout: {} devices do not divide into replicas of tp·cp·pp = {}·{}·{} = {}; use {}", layout.devices, layout.tp,
       layout.cp, layout.pp, replica, nearest);
}

}  // namespace

std::int64_t saturating_product(std::initializer_list<std::int64_t> factors) {
  std::int64_t product = 1;
  for (const std::int64_t factor : factors) {
    if (__builtin_mul_overflow(product, factor, &product)) return std::numeric_limits<std::int64_t>::max();
  }
  return product;
}

Layout complete(Layout layout, std::int64_t devices) {
  if (devices > 0 && layout.devices > 0 && devices != layout.devices) {
    fail("layout: devices={}, but {} devices are asked for; give one of the two", layout.devices, devices);
  }
  if (devices > 0) layout.devices = devices;
  const std::int64_t replica = replica_devices(layout);
  if (layout.devices == 0) {
    layout.dp = std::max<std::int64_t>(layout.dp, 1);
    layout.devices = saturating_product({replica, layout.dp});
  }
  if (layout.devices % replica != 0) wrong_devices(layout);
  if (layout.dp == 0) layout.dp = layout.devices / replica;
  if (saturating_product({replica, layout.dp}) != layout.devices) {
    fail("layout: tp·cp·pp·dp = {}·{}·{}·{} = {}, but there are {} devices; leave out dp", layout.tp, layout.cp,
         layout.pp, layout.dp, saturating_product({replica, layout.dp}), layout.devices);
  }
  if (layout.gbs == 0) layout.gbs = saturating_product({layout.mbs, layout.dp, layout.pp, layout.vpp});
  if (layout.schedule == Schedule::one_f_one_b && layout.vpp > 1) layout.schedule = Schedule::interleaved;
  return layout;
}

std::int64_t expert_ranks(const Layout& layout) { return layout.tp_extends_ep ? layout.tp * layout.ep : layout.ep; }

std::int64_t expert_data_parallel(const Layout& layout) {
  return layout.tp * layout.cp * layout.dp / (expert_ranks(layout) * layout.etp);
}

std::int64_t micro_batches(const Layout& layout) { return layout.gbs / (layout.dp * layout.mbs); }

std::int64_t pipeline_layers(const Layout& layout, const Model& model) {
  return model.layers + layout.noop_layers + model.mtp_layers;
}

std::vector<std::int64_t> chunk_layers(const Layout& layout, const Model& model) {
  if (!layout.stages.empty()) return layout.stages;
  const std::int64_t chunks = layout.pp * layout.vpp;
  const std::int64_t layers = pipeline_layers(layout, model);
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(chunks), (layers + chunks - 1) / chunks);
  const std::int64_t num_short = (chunks - layers % chunks) % chunks;
  // Last, first, last but one, second, …: the last chunk has the head, the first the embedding.
  for (std::int64_t i = 0; i < num_short; ++i) {
    const std::int64_t chunk = i % 2 == 0 ? chunks - 1 - i / 2 : i / 2;
    --sizes[static_cast<std::size_t>(chunk)];
  }
  return sizes;
}

}  // namespace filigree::spec
