#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <string>

#include <benchmark/benchmark.h>

#include "base/file.h"
#include "base/json.h"
#include "plan/search.h"
#include "spec/check.h"
#include "spec/hf_config.h"
#include "spec/layout_text.h"
#include "spec/resolve.h"

/// Closed-form estimates a second, alone and as a search makes them, and the memory of a search as its space grows: Pangu
/// Ultra MoE on 6,144 devices.
namespace {

using namespace filigree;
using plan::Detail;

const spec::Model& pangu() {
  static const spec::Model model = spec::load_language_model("pangu-ultra-moe");
  return model;
}

const spec::Cluster& ascend() {
  static const auto cluster = load_config<spec::Cluster>(find_recipe("clusters", "ascend-910b"));
  return cluster;
}

constexpr const char* kBase = "seq=8192,gbs=6144,overlap=gradients+experts+pipeline";

spec::Layout published() {
  const std::string degrees = ",tp=8,pp=16,vpp=2,ep=4,tp_extends_ep=true,mbs=2,schedule=interleaved,noop_layers=2";
  return spec::complete(spec::parse_layout(kBase + degrees), 6144);
}

/// One layout again and again, each time from nothing.
void closed_form_alone(benchmark::State& state) {
  const plan::Estimator estimator(pangu(), ascend());
  const spec::Layout layout = published();
  for (auto _ : state) benchmark::DoNotOptimize(estimator.estimate(layout, Detail::closed_form));
  state.counters["estimates/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void timeline(benchmark::State& state) {
  const plan::Estimator estimator(pangu(), ascend());
  const spec::Layout layout = published();
  for (auto _ : state) benchmark::DoNotOptimize(estimator.estimate(layout, Detail::timeline));
  state.counters["estimates/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

/// Estimates a second of one layout again and again on one thread, for comparison.
double fresh_rate() {
  const plan::Estimator estimator(pangu(), ascend());
  const spec::Layout layout = published();
  constexpr int kTimes = 20'000;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kTimes; ++i) benchmark::DoNotOptimize(estimator.estimate(layout, Detail::closed_form));
  return kTimes / std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Spaces of about 10^5, 10^6 and 10^7 estimates, nothing pruned. The estimates a second hold for the whole search:
/// going through combinations, rejecting, ranking. to_fresh: over fresh_rate.
void search_all(benchmark::State& state) {
  constexpr const char* kSpaces[]{
      "tp=4+8,vpp=1+2+4,ep=1+2+4+8+16+32+64+128+256,etp=1,tp_extends_ep=false,mbs=1+2+4,cp=1,split=even,swap=none,"
      "zero=1+2+3,offload_optimizer=false",
      "tp=4+8,ep=1+2+4+8+16+32+64+128+256,etp=1+2,tp_extends_ep=false,mbs=1+2,cp=1,swap=none", ""};
  plan::SearchRequest request;
  request.model = pangu();
  request.cluster = ascend();
  request.devices = 6144;
  request.base = plan::parse_base(kBase);
  request.space = plan::parse_space(kSpaces[state.range(0)]);
  request.threads = static_cast<int>(state.range(1));
  request.prune = state.range(2) != 0;
  const double fresh = fresh_rate();
  double estimates = 0, combinations = 0, seconds = 0;
  for (auto _ : state) {
    const plan::SearchCounts counts = plan::search(request).counts;
    estimates += static_cast<double>(counts.estimated);
    combinations += static_cast<double>(counts.combinations);
    seconds += counts.seconds;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto runs = static_cast<double>(state.iterations());
  state.counters["combinations"] = combinations / runs;
  state.counters["estimates"] = estimates / runs;
  state.counters["estimates/s"] = estimates / seconds;
  state.counters["to_fresh"] = estimates / seconds / fresh;
  state.counters["peak_MiB"] = static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace

BENCHMARK(closed_form_alone)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(timeline)->Threads(1)->Threads(2)->UseRealTime();
// In the order of growing spaces, so that the peak is that of the largest so far.
BENCHMARK(search_all)
    ->ArgNames({"space", "threads", "prune"})
    ->Args({0, 1, 0})
    ->Args({0, 2, 0})
    ->Args({1, 2, 0})
    ->Args({2, 2, 1})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

BENCHMARK_MAIN();
