#include "plan/imbalance_table.h"

#include <cmath>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "loads.h"

namespace filigree::plan {
namespace {

using spec::LoadKind;
using test::make_load;

const std::vector<spec::Load> uneven{make_load(LoadKind::uniform), make_load(LoadKind::zipf, 0.3),
                                     make_load(LoadKind::zipf, 1), make_load(LoadKind::dirichlet, 5),
                                     make_load(LoadKind::dirichlet, 0.5)};

TEST(ImbalanceTable, IsWithinTwoPercentOfTheSimulation) {
  struct Case {
    std::int64_t experts, top_k, layers;
  };
  for (const Case c : {Case{256, 8, 58}, Case{160, 6, 20}, Case{8, 2, 32}, Case{64, 6, 27}}) {
    for (spec::Load load : uneven) {
      load.samples = 32;
      for (const bool placement : {false, true}) {
        const Popularity popularity(load, c.experts, c.top_k, c.layers);
        for (const std::int64_t ranks : {c.experts / 8, c.experts}) {
          for (const std::int64_t tokens : {100, 3000, 90'000, 5'000'000}) {
            const ExpertGroup group{c.experts, c.top_k, ranks, tokens, c.layers};
            const double drawn = imbalance(popularity, group, placement).mean_max;
            EXPECT_NEAR(quick_imbalance(load, group, placement) / drawn, 1, 0.02)
                << c.experts << " experts, " << ranks << " ranks, " << tokens << " tokens, " << enum_name(load.kind)
                << " " << load.parameter << (placement ? " placed" : "");
          }
        }
      }
    }
  }
}

TEST(ImbalanceTable, FollowsTheFirstLayers) {
  for (const std::int64_t layers : {1, 3, 12}) {
    const ExpertGroup group{64, 4, 16, 20'000, layers};
    const spec::Load load = make_load(LoadKind::dirichlet, 1, 5);
    EXPECT_NEAR(quick_imbalance(load, group, false) / imbalance(load, group, false).mean_max, 1, 0.02) << layers;
  }
}

TEST(ImbalanceTable, Limits) {
  for (const spec::Load& load : uneven) {
    EXPECT_EQ(quick_imbalance(load, {64, 4, 1, 777, 3}, true), 1);
    const double few = quick_imbalance(load, {64, 4, 8, 1 << 20, 3}, false);
    EXPECT_NEAR(quick_imbalance(load, {64, 4, 8, std::int64_t{1} << 40, 3}, false) / few, 1, 0.01);
  }
  EXPECT_EQ(quick_imbalance(make_load(LoadKind::balanced), {256, 8, 32, 4096, 58}, false), 1);
  EXPECT_NEAR(quick_imbalance(make_load(LoadKind::uniform), {64, 4, 8, std::int64_t{1} << 40, 3}, false), 1, 1e-4);
}

TEST(ImbalanceTable, GrowsWithRanksAndFallsWithTokens) {
  const spec::Load load = make_load(LoadKind::zipf, 0.5);
  for (const bool placement : {false, true}) {
    for (std::int64_t ranks = 2; ranks <= 128; ranks *= 2) {
      const double here = quick_imbalance(load, {128, 8, ranks, 5000, 10}, placement);
      if (!placement) {
        EXPECT_GE(here, quick_imbalance(load, {128, 8, ranks / 2, 5000, 10}, false));
      }
      EXPECT_GE(here * 1.001, quick_imbalance(load, {128, 8, ranks, 6000, 10}, placement));
    }
  }
}

TEST(ImbalanceTable, DoesNotDependOnEarlierCallsOrThreads) {
  const spec::Load load = make_load(LoadKind::dirichlet, 2, 9);
  const ExpertGroup few{32, 4, 8, 1000, 10}, many{32, 4, 8, 1000, 100};
  const double first = quick_imbalance(load, few, false);
  quick_imbalance(load, many, false);  // a larger table takes over
  EXPECT_EQ(quick_imbalance(load, few, false), first);
  std::vector<double> seen(4, 0.0);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    threads.emplace_back([&, i] {
      for (const std::int64_t experts : {16, 32, 48}) {
        const ExpertGroup other{experts, 2, 4, 500, 2};
        quick_imbalance(load, other, false);
      }
      seen[i] = quick_imbalance(load, few, false);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const double value : seen) EXPECT_EQ(value, first);
  EXPECT_EQ(ImbalanceTable(Popularity(load, 32, 4, 10), false).mean_max(8, 1000, 10), first);
}

TEST(ImbalanceTable, TakesATrace) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "filigree_imbalance_table_test.csv";
  write_file(path,
             "step,layer,expert,tokens\n0,2,0,500\n0,2,1,300\n0,2,2,100\n0,2,3,100\n9,2,0,250\n9,2,1,250\n9,2,2,250\n9,"
             "2,3,250\n");
  spec::Load load = make_load(LoadKind::trace);
  load.trace = path.string();
  const double quick = quick_imbalance(load, {4, 1, 2, 1 << 20, 1}, false);
  std::filesystem::remove(path);
  EXPECT_NEAR(quick, (1.6 + 1.0) / 2, 0.005);
}

TEST(ImbalanceTable, Errors) {
  const spec::Load load = make_load(LoadKind::uniform);
  EXPECT_THROW(quick_imbalance(load, {256, 8, 24, 100, 1}, false), Error);
  EXPECT_THROW(quick_imbalance(load, {256, 8, 32, 0, 1}, false), Error);
  EXPECT_THROW(quick_imbalance(make_load(LoadKind::dirichlet), {8, 2, 2, 10, 1}, false), Error);
  EXPECT_THROW(ImbalanceTable(Popularity(load, 8, 2, 1), false).mean_max(3, 100, 1), Error);
}

}  // namespace
}  // namespace filigree::plan
