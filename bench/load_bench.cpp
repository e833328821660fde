// Load imbalance: the simulation of one group of ranks against the table that a search reads, which should be some
// hundred thousand times as fast. Pangu Ultra MoE: 256 experts, top-8, 58 layers, 32 ranks, 2 * 8192 * 4 tokens.

#include <cstdint>

#include <benchmark/benchmark.h>

#include "plan/imbalance_table.h"
#include "plan/load.h"
#include "plan/placement.h"

namespace filigree::plan {
namespace {

constexpr ExpertGroup pangu{256, 8, 32, 2 * 8192 * 4, 58};

spec::Load dirichlet() {
  spec::Load load;
  load.kind = spec::LoadKind::dirichlet;
  load.parameter = 5;
  return load;
}

void imbalance_simulated(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(imbalance(dirichlet(), pangu, state.range(0) != 0).mean_max);
}
BENCHMARK(imbalance_simulated)->ArgName("placement")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void imbalance_table_made(benchmark::State& state) {
  const Popularity popularity(dirichlet(), pangu.experts, pangu.top_k, pangu.layers);
  for (auto _ : state) benchmark::DoNotOptimize(ImbalanceTable(popularity, state.range(0) != 0).layers());
}
BENCHMARK(imbalance_table_made)->ArgName("placement")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void imbalance_looked_up(benchmark::State& state) {
  const spec::Load load = dirichlet();
  ExpertGroup group = pangu;
  std::int64_t i = 0;
  for (auto _ : state) {
    ++i;
    group.ranks = std::int64_t{1} << (i & 7);
    group.tokens = 1000 + i * 7919 % 100'000;
    benchmark::DoNotOptimize(quick_imbalance(load, group, state.range(0) != 0));
  }
}
BENCHMARK(imbalance_looked_up)->ArgName("placement")->Arg(0)->Arg(1);

void placement_simulated(benchmark::State& state) {
  const Popularity popularity(dirichlet(), pangu.experts, pangu.top_k, 8);
  DriftSettings settings;
  settings.ranks = pangu.ranks;
  settings.tokens = pangu.tokens;
  for (auto _ : state) benchmark::DoNotOptimize(simulate_placement(popularity, settings).mean_with);
}
BENCHMARK(placement_simulated)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace filigree::plan

BENCHMARK_MAIN();
