#pragma once

#include <cstdint>
#include <vector>

#include "spec/cluster.h"
#include "spec/layout.h"

/// Time of collectives on a hierarchy of networks. A group's ranks stand at a fixed stride in the device order
/// tp – cp – (ep) – dp – pp, innermost first, as Megatron-Core lays them out.
namespace filigree::plan {

/// `size` ranks, `stride` devices apart.
struct RankGroup {
  std::int64_t size = 1;
  std::int64_t stride = 1;
};

enum class Collective { all_reduce, all_gather, reduce_scatter, all_to_all };

/// One tier resolved to SI units.
struct NetworkTier {
  std::int64_t devices = 0;  ///< 0: unlimited
  bool mesh = false;
  double rate = 0;    ///< bytes/s a device and direction
  double step = 0;    ///< s
  double launch = 0;  ///< s
  double half_bytes = 0;
  double all_reduce = 1, all_gather = 1, all_to_all = 1, point_to_point = 1;
};

struct Network {
  std::vector<NetworkTier> tiers;
};

/// Error where the cluster has none.
Network resolve_network(const spec::Cluster& cluster);

/// Error where the cluster's outermost network joins fewer devices.
void check_reach(const spec::Cluster& cluster, std::int64_t devices);

/// Seconds of one collective. `bytes` by rank: all_reduce: the buffer; all_gather: the gathered result;
/// reduce_scatter: the buffer before it; all_to_all: what a rank holds for all ranks together.
/// Bottleneck model: the ring (or pairwise exchange) moves its bytes through every tier that the group spans, and the
/// slowest tier sets the pace; start-up costs of the tiers add.
double collective_seconds(const Network& network, Collective kind, double bytes, RankGroup group);

/// Seconds to move `bytes` from a device to the one `stride` places further.
double send_seconds(const Network& network, double bytes, std::int64_t stride);

/// Devices of one node: size of the innermost tier.
std::int64_t node_devices(const Network& network);

/// Expert exchange of one direction (dispatch; combine is its mirror and costs the same).
struct ExpertExchange {
  spec::Dispatcher dispatcher = spec::Dispatcher::all_to_all;
  double tokens = 0;  ///< of one rank
  double top_k = 1;
  double token_bytes = 0;  ///< of one token
  double imbalance = 1;    ///< load of the fullest rank over the mean
  RankGroup group;
};

/// Copies of a token that cross between nodes, by dispatcher, for K experts over `nodes` nodes:
/// flat K·(1−1/N), all-gather N−1, de-duplicated (N−1)·(1−(1−1/N)^K).
double copies_between_nodes(spec::Dispatcher dispatcher, double top_k, double nodes);

double exchange_seconds(const Network& network, const ExpertExchange& exchange);

}  // namespace filigree::plan
