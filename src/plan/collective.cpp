#include "plan/collective.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/units.h"

namespace filigree::plan {
namespace {

using spec::Dispatcher;

/// Ranks of the group inside one unit of a tier.
std::int64_t ranks_inside(const NetworkTier& tier, const RankGroup& group) {
  if (tier.devices == 0) return group.size;
  return std::clamp<std::int64_t>(tier.devices / std::max<std::int64_t>(1, group.stride), 1, group.size);
}

double tier_share(const NetworkTier& tier, Collective kind) {
  if (kind == Collective::all_reduce) return tier.all_reduce;
  return kind == Collective::all_to_all ? tier.all_to_all : tier.all_gather;
}

/// Bytes/s at which one rank's traffic of `bytes` moves through a tier.
double tier_rate(const NetworkTier& tier, Collective kind, double bytes, std::int64_t peers) {
  double rate = tier.rate * tier_share(tier, kind);
  // In a full mesh only the links to the group's own members carry traffic.
  if (tier.mesh && tier.devices > 1) {
    rate *= static_cast<double>(peers) / static_cast<double>(tier.devices - 1);
  }
  if (tier.half_bytes > 0) rate *= bytes / (bytes + tier.half_bytes);
  return rate;
}

}  // namespace

Network resolve_network(const spec::Cluster& cluster) {
  if (cluster.tiers.empty()) {
    fail("cluster {}: tiers is empty; name at least the network inside a node", cluster.name);
  }
  Network network;
  for (const spec::Tier& tier : cluster.tiers) {
    NetworkTier out;
    out.devices = tier.devices;
    out.mesh = tier.topology == spec::Topology::full_mesh;
    out.rate = 1e9 * tier.gb_s;
    out.step = 1e-6 * tier.latency_us;
    out.launch = 1e-6 * tier.launch_us;
    out.half_bytes = tier.half_mib * kMib;
    out.all_reduce = tier.all_reduce;
    out.all_gather = tier.all_gather;
    out.all_to_all = tier.all_to_all;
    out.point_to_point = tier.point_to_point;
    network.tiers.push_back(out);
  }
  return network;
}

void check_reach(const spec::Cluster& cluster, std::int64_t devices) {
  const spec::Tier& outermost = cluster.tiers.back();
  if (outermost.devices == 0 || devices <= outermost.devices) return;
  fail("cluster {}: its outermost network '{}' joins {} devices, but the layout has {}; give it devices 0 (unlimited)",
       cluster.name, outermost.name, outermost.devices, devices);
}

std::int64_t node_devices(const Network& network) { return std::max<std::int64_t>(1, network.tiers.front().devices); }

double collective_seconds(const Network& network, Collective kind, double bytes, RankGroup group) {
  if (group.size <= 1 || bytes <= 0) return 0;
  const double rank_bytes = bytes / static_cast<double>(group.size);
  // A ring passes every byte once (gather, scatter) or twice (reduce and gather again).
  const double passes = kind == Collective::all_reduce ? 2.0 : 1.0;
  double slowest = 0, start = 0;
  std::int64_t inside_before = 1;
  for (const NetworkTier& tier : network.tiers) {
    const std::int64_t inside = ranks_inside(tier, group);
    if (inside > inside_before) {
      // Units of the tier below that this tier joins, each with `inside_before` ranks and as many links.
      const double units = static_cast<double>(inside) / static_cast<double>(inside_before);
      double moved;
      if (kind == Collective::all_to_all) {
        moved = rank_bytes * static_cast<double>(inside - inside_before);
      } else {
        // What a unit must receive, over the links of its ranks.
        moved = passes * bytes * (units - 1) / units / static_cast<double>(inside_before);
      }
      const double rate = tier_rate(tier, kind, bytes, inside - 1);
      slowest = std::max(slowest, moved / rate);
      start += tier.launch + passes * tier.step * (units - 1);
    }
    inside_before = std::max(inside_before, inside);
    if (inside == group.size) break;
  }
  return slowest + start;
}

double send_seconds(const Network& network, double bytes, std::int64_t stride) {
  if (bytes <= 0) return 0;
  const NetworkTier* tier = &network.tiers.back();
  for (const NetworkTier& candidate : network.tiers) {
    if (candidate.devices == 0 || candidate.devices > stride) {
      tier = &candidate;
      break;
    }
  }
  double rate = tier->rate * tier->point_to_point;
  if (tier->mesh && tier->devices > 1) rate /= static_cast<double>(tier->devices - 1);
  if (tier->half_bytes > 0) rate *= bytes / (bytes + tier->half_bytes);
  return tier->launch + tier->step + bytes / rate;
}

double copies_between_nodes(Dispatcher dispatcher, double top_k, double nodes) {
  switch (dispatcher) {
    case Dispatcher::all_to_all:
      return top_k * (1 - 1 / nodes);
    case Dispatcher::all_gather:
    case Dispatcher::hierarchical:
      return nodes - 1;
    case Dispatcher::deduplicated:
      return (nodes - 1) * (1 - std::pow(1 - 1 / nodes, top_k));
  }
  return 0;
}

double exchange_seconds(const Network& network, const ExpertExchange& exchange) {
  const RankGroup& group = exchange.group;
  if (group.size <= 1) return 0;
  const NetworkTier& inner = network.tiers.front();
  const double inside = static_cast<double>(ranks_inside(inner, group));
  const double nodes = static_cast<double>(group.size) / inside;
  const double tokens_bytes = exchange.tokens * exchange.token_bytes;
  if (exchange.dispatcher == Dispatcher::all_gather) {
    return collective_seconds(network, Collective::all_gather, tokens_bytes * static_cast<double>(group.size), group);
  }
  const double routed = tokens_bytes * exchange.top_k * exchange.imbalance;
  if (exchange.dispatcher == Dispatcher::all_to_all || nodes <= 1) {
    return collective_seconds(network, Collective::all_to_all, routed, group);
  }
  // Between nodes every token goes to its counterpart rank of each (or each needed) node; inside, copies spread.
  const double copies = copies_between_nodes(exchange.dispatcher, exchange.top_k, nodes);
  const NetworkTier& outer = network.tiers.size() > 1 ? network.tiers[1] : inner;
  const Collective outer_kind =
      exchange.dispatcher == Dispatcher::hierarchical ? Collective::all_gather : Collective::all_to_all;
  const double outer_bytes = tokens_bytes * copies;
  const double between = outer.launch + outer.step * (nodes - 1) +
                         outer_bytes / tier_rate(outer, outer_kind, outer_bytes, static_cast<std::int64_t>(nodes) - 1);
  // Inside a node: routed copies for this node's ranks, from the tokens that all nodes brought.
  const double within =
      collective_seconds(network, Collective::all_to_all, routed, {static_cast<std::int64_t>(inside), group.stride});
  return between + within;
}

}  // namespace filigree::plan
