#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "plan/collective.h"
#include "plan/rates.h"
#include "spec/cluster.h"
#include "support/paths.h"

// The machines that the project ships: figures within what hardware of this kind can be, and their sources.
namespace filigree::plan {
namespace {

class ShippedCluster : public testing::TestWithParam<std::string> {
 protected:
  spec::Cluster cluster() const {
    return load_config<spec::Cluster>(test::source_dir() + "/recipes/clusters/" + GetParam() + ".json");
  }
};

std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(test::source_dir() + "/recipes/clusters")) {
    if (entry.path().extension() == ".json") found.push_back(entry.path().stem().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

TEST_P(ShippedCluster, AcceleratorIsPlausible) {
  const spec::Accelerator a = cluster().accelerator;
  ASSERT_TRUE(a.peak_tflops.contains("bf16"));
  const double peak = a.peak_tflops.at("bf16");
  EXPECT_GE(peak, 200);
  EXPECT_LE(peak, 5000);
  EXPECT_EQ(a.peak_tflops.at("fp16"), peak);
  if (const auto fp8 = a.peak_tflops.find("fp8"); fp8 != a.peak_tflops.end()) {
    EXPECT_NEAR(fp8->second / peak, 2, 0.01);
  }
  if (const auto tf32 = a.peak_tflops.find("tf32"); tf32 != a.peak_tflops.end()) {
    EXPECT_NEAR(tf32->second / peak, 0.5, 0.02);
  }
  EXPECT_GE(a.memory_gib, 30);
  EXPECT_LE(a.memory_gib, 300);
  // Operations a byte of memory traffic: 150 to 350 on every accelerator of these years.
  const double balance = 1e12 * peak / (1e9 * a.memory_gb_s);
  EXPECT_GE(balance, 120);
  EXPECT_LE(balance, 400);
  EXPECT_GE(a.units, 16);
  EXPECT_LE(a.units, 512);
  EXPECT_GE(a.kernel_us, 0.5);
  EXPECT_LE(a.kernel_us, 60);
  EXPECT_LE(a.host_us, 100);
  if (a.power_w > 0) {
    EXPECT_GE(a.power_w, 300);
    EXPECT_LE(a.power_w, 1500);
  }
  EXPECT_LE(a.price_per_hour, 20);
}

TEST_P(ShippedCluster, EfficienciesAreShares) {
  const spec::Accelerator a = cluster().accelerator;
  EXPECT_FALSE(a.matrix.empty());
  for (const auto* curves : {&a.matrix, &a.grouped}) {
    for (const auto& [dtype, curve] : *curves) {
      EXPECT_TRUE(a.peak_tflops.contains(dtype)) << dtype;
      EXPECT_GE(curve.max, 0.3) << dtype;
      EXPECT_LE(curve.max * curve.weight, 1) << dtype;
      EXPECT_GE(curve.memory, 0.4) << dtype;
    }
  }
  EXPECT_GE(a.attention.forward, a.attention.backward);
  EXPECT_GE(a.attention.backward, 0.2);
  EXPECT_GE(a.memory_efficiency, 0.4);
  EXPECT_LE(a.memory_efficiency, 0.95);
}

TEST_P(ShippedCluster, NetworksGetSlowerOutward) {
  const spec::Cluster c = cluster();
  ASSERT_GE(c.tiers.size(), 2u);
  EXPECT_EQ(c.tiers.back().devices, 0);
  for (std::size_t i = 0; i < c.tiers.size(); ++i) {
    const spec::Tier& tier = c.tiers[i];
    EXPECT_GT(tier.gb_s, 0);
    EXPECT_LE(tier.latency_us, 100);
    for (const double share : {tier.all_reduce, tier.all_gather, tier.all_to_all, tier.point_to_point}) {
      EXPECT_GE(share, 0.3) << tier.name;
      EXPECT_LE(share, 1) << tier.name;
    }
    if (i == 0) continue;
    EXPECT_LT(tier.gb_s, c.tiers[i - 1].gb_s);
    EXPECT_TRUE(tier.devices == 0 || tier.devices > c.tiers[i - 1].devices);
  }
  // No collective over the node is faster than the line rate of its links.
  const Network network = resolve_network(c);
  const std::int64_t node = node_devices(network);
  const double bytes = 1e9;
  const double seconds = collective_seconds(network, Collective::all_gather, bytes, {node, 1});
  const double received = bytes * static_cast<double>(node - 1) / static_cast<double>(node);
  EXPECT_GT(seconds, received / (1e9 * c.tiers[0].gb_s));
  EXPECT_GE(c.host_gb_s, 10);
  EXPECT_LE(c.host_gb_s, 500);
  EXPECT_LE(c.context_gib, 8);
  EXPECT_LE(c.step_overhead_ms, 200);
}

TEST_P(ShippedCluster, ResolvesForEveryDtypeWithACurve) {
  const spec::Accelerator a = cluster().accelerator;
  for (const auto& curve : a.matrix) {
    spec::Layout layout;
    layout.dtype = enum_from_name<spec::Dtype>(curve.first).value();
    EXPECT_GT(resolve_rates(a, layout).matrix_peak, 0) << curve.first;
  }
}

/// Whether a figure has its note: under its own name, with others ("matrix, attention"), or by dtype ("matrix.bf16").
bool has_source(const std::map<std::string, std::string>& sources, const std::string& figure) {
  for (const auto& [key, note] : sources) {
    for (const std::string& part : text::split(key, ',')) {
      const std::string_view name = text::trim(part);
      if (name.substr(0, name.find('.')) == figure && note.size() > 5) return true;
    }
  }
  return false;
}

TEST_P(ShippedCluster, MainFiguresHaveSources) {
  const spec::Cluster c = cluster();
  const spec::Accelerator& a = c.accelerator;
  std::vector<std::string> figures{"peak_tflops", "memory_gib", "memory_gb_s", "memory_efficiency",
                                   "units",       "kernel_us",  "matrix",      "attention"};
  if (!a.grouped.empty()) figures.emplace_back("grouped");
  if (a.price_per_hour > 0) figures.emplace_back("price_per_hour");
  if (a.power_w > 0) figures.emplace_back("power_w");
  for (const std::string& figure : figures) EXPECT_TRUE(has_source(a.sources, figure)) << figure;
  for (const spec::Tier& tier : c.tiers) EXPECT_TRUE(has_source(c.sources, tier.name)) << tier.name;
  EXPECT_TRUE(has_source(c.sources, "host_gb_s"));
}

std::string test_name(const testing::TestParamInfo<std::string>& cluster) {
  std::string name = cluster.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, ShippedCluster, testing::ValuesIn(names()), test_name);

spec::Cluster shipped(const std::string& name) {
  return load_config<spec::Cluster>(test::source_dir() + "/recipes/clusters/" + name + ".json");
}

TEST(Clusters, AscendMeshIsAsMeasured) {
  const Network network = resolve_network(shipped("ascend-910b"));
  // Bus bandwidth of all-gather over 8, 4 and 2 devices: 130, 48 and 19 GB/s; the mesh gives each pair one link.
  const auto bus = [&network](std::int64_t n) {
    const double bytes = 1e9;
    const double received = bytes * static_cast<double>(n - 1) / static_cast<double>(n);
    return received / collective_seconds(network, Collective::all_gather, bytes, {n, 1}) / 1e9;
  };
  EXPECT_NEAR(bus(8), 130, 7);
  EXPECT_NEAR(bus(4), 48, 10);
  EXPECT_NEAR(bus(2), 19, 2);
  // One link, and the adapter: 19.2 and 22.5 GB/s.
  EXPECT_NEAR(1.0 / send_seconds(network, 1e9, 1), 19.2, 0.5);
  EXPECT_NEAR(1.0 / send_seconds(network, 1e9, 8), 22.5, 0.5);
}

TEST(Clusters, MachinesOfOneFamilyDifferWhereTheyShould) {
  const spec::Cluster h100 = shipped("h100"), h800 = shipped("h800"), h200 = shipped("h200");
  EXPECT_EQ(h800.accelerator.peak_tflops, h100.accelerator.peak_tflops);
  EXPECT_LT(h800.tiers[0].gb_s, h100.tiers[0].gb_s);
  EXPECT_GT(h200.accelerator.memory_gb_s, h100.accelerator.memory_gb_s);
  EXPECT_GT(h200.accelerator.memory_gib, h100.accelerator.memory_gib);
  EXPECT_EQ(shipped("a100-80g").tiers[1].gb_s, 2 * shipped("a100-4nic").tiers[1].gb_s);
  EXPECT_EQ(shipped("gb200").tiers[0].devices, 72);
  for (const auto& [dtype, curve] : h100.accelerator.matrix) {
    EXPECT_EQ(h200.accelerator.matrix.at(dtype).max, curve.max) << dtype;
    EXPECT_EQ(h800.accelerator.matrix.at(dtype).max, curve.max) << dtype;
  }
}

}  // namespace
}  // namespace filigree::plan
