#include "plan/collective.h"

#include <gtest/gtest.h>

#include <cmath>

#include "spec/cluster.h"

namespace filigree::plan {
namespace {

using spec::Dispatcher;

/// Nodes of 8 at 100 GB/s, joined at 10 GB/s a device; full line rate, no latencies.
spec::Cluster plain(spec::Topology topology = spec::Topology::switched) {
  spec::Cluster cluster;
  spec::Tier inner{.name = "inner", .devices = 8, .topology = topology, .gb_s = 100};
  spec::Tier outer{.name = "outer", .devices = 0, .gb_s = 10};
  for (spec::Tier* tier : {&inner, &outer}) {
    tier->all_reduce = tier->all_gather = tier->all_to_all = tier->point_to_point = 1;
  }
  cluster.tiers = {inner, outer};
  return cluster;
}

constexpr double kBytes = 1e9;

double inner_share(std::int64_t n) { return static_cast<double>(n - 1) / static_cast<double>(n); }

TEST(Collective, RingsInsideANode) {
  const Network network = resolve_network(plain());
  for (const std::int64_t n : {2, 3, 4, 8}) {
    const RankGroup group{n, 1};
    const double once = kBytes * inner_share(n) / 100e9;  // every rank receives (n − 1)/n of the whole
    EXPECT_NEAR(collective_seconds(network, Collective::all_gather, kBytes, group), once, 1e-12) << n;
    EXPECT_NEAR(collective_seconds(network, Collective::reduce_scatter, kBytes, group), once, 1e-12) << n;
    EXPECT_NEAR(collective_seconds(network, Collective::all_reduce, kBytes, group), 2 * once, 1e-12) << n;
    EXPECT_NEAR(collective_seconds(network, Collective::all_to_all, kBytes, group), once, 1e-12) << n;
  }
}

TEST(Collective, OneRankAndNoBytesCostNothing) {
  const Network network = resolve_network(plain());
  for (const Collective kind :
       {Collective::all_reduce, Collective::all_gather, Collective::reduce_scatter, Collective::all_to_all}) {
    EXPECT_EQ(collective_seconds(network, kind, kBytes, {1, 1}), 0);
    EXPECT_EQ(collective_seconds(network, kind, 0, {8, 1}), 0);
  }
  EXPECT_EQ(send_seconds(network, 0, 1), 0);
}

TEST(Collective, AcrossNodesTheOuterLinksSetThePace) {
  const Network network = resolve_network(plain());
  // One rank a node: a ring over the outer network.
  EXPECT_NEAR(collective_seconds(network, Collective::all_gather, kBytes, {4, 8}), kBytes * 0.75 / 10e9, 1e-12);
  EXPECT_NEAR(collective_seconds(network, Collective::all_reduce, kBytes, {4, 8}), 2 * kBytes * 0.75 / 10e9, 1e-12);
  // Four whole nodes: a node receives three quarters over eight adapters, less than what moves inside.
  const double outer = kBytes * 0.75 / 8 / 10e9, inner = kBytes * inner_share(8) / 100e9;
  EXPECT_NEAR(collective_seconds(network, Collective::all_gather, kBytes, {32, 1}), std::max(outer, inner), 1e-12);
  // All-to-all cannot share adapters: each rank's 24/32 leave by its own.
  EXPECT_NEAR(collective_seconds(network, Collective::all_to_all, kBytes, {32, 1}), kBytes * 24.0 / 32 / 10e9, 1e-12);
}

TEST(Collective, AFullMeshHasALinkForEachPair) {
  const Network network = resolve_network(plain(spec::Topology::full_mesh));
  // With all eight every link works; two ranks have one of seven.
  EXPECT_NEAR(collective_seconds(network, Collective::all_gather, kBytes, {8, 1}), kBytes * 0.875 / 100e9, 1e-12);
  EXPECT_NEAR(collective_seconds(network, Collective::all_gather, kBytes, {2, 1}), kBytes * 0.5 / (100e9 / 7), 1e-12);
  EXPECT_NEAR(collective_seconds(network, Collective::all_gather, kBytes, {4, 1}), kBytes * 0.75 / (300e9 / 7), 1e-12);
  EXPECT_NEAR(send_seconds(network, kBytes, 1), kBytes / (100e9 / 7), 1e-12);
  // Every link carries bytes/8 to each peer: an all-to-all of all eight takes as long as on a switch.
  EXPECT_NEAR(collective_seconds(network, Collective::all_to_all, kBytes, {8, 1}), kBytes * 0.875 / 100e9, 1e-12);
}

TEST(Collective, StartUpGrowsWithSteps) {
  spec::Cluster cluster = plain();
  cluster.tiers[0].latency_us = 2;
  cluster.tiers[0].launch_us = 10;
  const Network network = resolve_network(cluster);
  const double tiny = 1;
  EXPECT_NEAR(collective_seconds(network, Collective::all_gather, tiny, {8, 1}), 10e-6 + 7 * 2e-6, 1e-10);
  EXPECT_NEAR(collective_seconds(network, Collective::all_reduce, tiny, {8, 1}), 10e-6 + 14 * 2e-6, 1e-10);
  EXPECT_NEAR(send_seconds(network, tiny, 1), 12e-6, 1e-10);
}

TEST(Collective, SmallMessagesReachLessOfTheRate) {
  spec::Cluster cluster = plain();
  cluster.tiers[0].half_mib = 1;
  const Network network = resolve_network(cluster);
  const double mib = 1024 * 1024;
  const double half = collective_seconds(network, Collective::all_gather, mib, {8, 1});
  EXPECT_NEAR(half, mib * 0.875 / 50e9, 1e-12);
  EXPECT_NEAR(collective_seconds(network, Collective::all_gather, 1024 * mib, {8, 1}), 1024 * mib * 0.875 / 100e9,
              0.002 * 1024 * mib * 0.875 / 100e9);
}

TEST(Collective, SharesScaleEachKindApart) {
  spec::Cluster cluster = plain();
  cluster.tiers[0].all_reduce = 0.5;
  cluster.tiers[0].all_to_all = 0.25;
  const Network network = resolve_network(cluster), full = resolve_network(plain());
  const auto ratio = [&](Collective kind) {
    return collective_seconds(network, kind, kBytes, {8, 1}) / collective_seconds(full, kind, kBytes, {8, 1});
  };
  EXPECT_NEAR(ratio(Collective::all_reduce), 2, 1e-9);
  EXPECT_NEAR(ratio(Collective::all_to_all), 4, 1e-9);
  EXPECT_NEAR(ratio(Collective::all_gather), 1, 1e-9);
}

TEST(Collective, NeverFasterWithMoreBytesOrRanks) {
  spec::Cluster cluster = plain();
  for (spec::Tier& tier : cluster.tiers) {
    tier.latency_us = 3;
    tier.launch_us = 10;
    tier.half_mib = 2;
    tier.all_reduce = tier.all_gather = 0.8;
    tier.all_to_all = 0.7;
  }
  const Network network = resolve_network(cluster);
  for (const Collective kind :
       {Collective::all_reduce, Collective::all_gather, Collective::reduce_scatter, Collective::all_to_all}) {
    double before = 0;
    for (double bytes = 1024; bytes < 1e11; bytes *= 4) {
      const double seconds = collective_seconds(network, kind, bytes, {16, 1});
      EXPECT_GT(seconds, before) << bytes;
      before = seconds;
    }
    before = 0;
    for (const std::int64_t ranks : {2, 4, 8, 16, 64, 256}) {
      const double seconds = collective_seconds(network, kind, 1e8, {ranks, 1});
      EXPECT_GE(seconds, before * (1 - 1e-9)) << ranks;
      before = seconds;
    }
  }
}

TEST(Collective, DistanceDecidesTheTier) {
  const Network network = resolve_network(plain());
  EXPECT_EQ(node_devices(network), 8);
  EXPECT_NEAR(send_seconds(network, kBytes, 1), kBytes / 100e9, 1e-12);
  EXPECT_NEAR(send_seconds(network, kBytes, 4), kBytes / 100e9, 1e-12);
  EXPECT_NEAR(send_seconds(network, kBytes, 8), kBytes / 10e9, 1e-12);
  EXPECT_NEAR(send_seconds(network, kBytes, 64), kBytes / 10e9, 1e-12);
}

// Copies of a token that cross nodes with 8 experts, by nodes: flat 8·(1 − 1/N), all-gather N − 1, de-duplicated
// (N − 1)·(1 − (1 − 1/N)^8).
TEST(Exchange, CopiesBetweenNodes) {
  struct Row {
    double nodes, flat, gather, deduplicated;
  };
  for (const Row& row : {Row{2, 4.0, 1, 1.0}, Row{4, 6.0, 3, 2.7}, Row{8, 7.0, 7, 4.6}, Row{16, 7.5, 15, 6.05}}) {
    EXPECT_NEAR(copies_between_nodes(Dispatcher::all_to_all, 8, row.nodes), row.flat, 0.05) << row.nodes;
    EXPECT_NEAR(copies_between_nodes(Dispatcher::all_gather, 8, row.nodes), row.gather, 0.05) << row.nodes;
    EXPECT_NEAR(copies_between_nodes(Dispatcher::hierarchical, 8, row.nodes), row.gather, 0.05) << row.nodes;
    EXPECT_NEAR(copies_between_nodes(Dispatcher::deduplicated, 8, row.nodes), row.deduplicated, 0.05) << row.nodes;
  }
}

TEST(Exchange, NoDispatcherBeatsDeduplication) {
  for (const double k : {1.0, 2.0, 6.0, 8.0}) {
    for (const double nodes : {2.0, 3.0, 4.0, 8.0, 32.0}) {
      const double least = copies_between_nodes(Dispatcher::deduplicated, k, nodes);
      EXPECT_LE(least, copies_between_nodes(Dispatcher::all_to_all, k, nodes) + 1e-12);
      EXPECT_LE(least, copies_between_nodes(Dispatcher::hierarchical, k, nodes) + 1e-12);
    }
  }
}

ExpertExchange exchange(Dispatcher dispatcher, std::int64_t ranks, double top_k) {
  ExpertExchange e;
  e.dispatcher = dispatcher;
  e.tokens = 4096;
  e.top_k = top_k;
  e.token_bytes = 15360;
  e.group = {ranks, 1};
  return e;
}

TEST(Exchange, HierarchyPaysWhileNodesAreFewerThanExpertsAToken) {
  const Network network = resolve_network(plain());
  const auto gain = [&network](std::int64_t nodes) {
    return exchange_seconds(network, exchange(Dispatcher::all_to_all, 8 * nodes, 8)) /
           exchange_seconds(network, exchange(Dispatcher::hierarchical, 8 * nodes, 8));
  };
  EXPECT_GT(gain(2), 1.5);
  EXPECT_GT(gain(4), 1.2);
  EXPECT_LT(gain(16), 1);
  EXPECT_GT(gain(2), gain(4));
}

TEST(Exchange, InsideANodeAllButAllGatherAreAlike) {
  const Network network = resolve_network(plain());
  const double flat = exchange_seconds(network, exchange(Dispatcher::all_to_all, 8, 8));
  EXPECT_NEAR(flat, 4096 * 15360 * 8 * 0.875 / 100e9, 1e-9);
  EXPECT_EQ(exchange_seconds(network, exchange(Dispatcher::hierarchical, 8, 8)), flat);
  EXPECT_EQ(exchange_seconds(network, exchange(Dispatcher::deduplicated, 8, 8)), flat);
  // All-gather moves every token to all eight: as much as eight experts a token do.
  EXPECT_NEAR(exchange_seconds(network, exchange(Dispatcher::all_gather, 8, 8)), flat, 1e-9);
  EXPECT_EQ(exchange_seconds(network, exchange(Dispatcher::all_to_all, 1, 8)), 0);
}

TEST(Exchange, ImbalanceSlowsWhatIsRouted) {
  const Network network = resolve_network(plain());
  ExpertExchange even = exchange(Dispatcher::all_to_all, 32, 8), uneven = even;
  uneven.imbalance = 1.5;
  EXPECT_NEAR(exchange_seconds(network, uneven) / exchange_seconds(network, even), 1.5, 1e-6);
}

}  // namespace
}  // namespace filigree::plan
