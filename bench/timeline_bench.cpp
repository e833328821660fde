#include <cstdint>

#include <benchmark/benchmark.h>

#include "plan/timeline.h"

/// Full event timelines a second, and their cost as chunks × micro-batches grow. All chunks have the same assumed costs.
namespace {

using filigree::plan::Chunk;
using filigree::plan::Pipeline;
using filigree::plan::simulate;
using filigree::plan::TimelineWorkspace;
using filigree::spec::Schedule;

Pipeline pipeline(Schedule schedule, std::int64_t stages, std::int64_t chunks, std::int64_t micro_batches) {
  const Chunk chunk{.forward = {.attention = 3e-3, .dispatch = 1e-3, .mlp = 4e-3, .combine = 1e-3, .alone = 9e-3},
                    .backward = {.attention = 6e-3, .dispatch = 1e-3, .mlp = 8e-3, .combine = 1e-3, .alone = 16e-3},
                    .weight = 6e-3,
                    .activation_bytes = 1e9,
                    .weight_bytes = 5e8,
                    .tail = 1e-3};
  Pipeline result{.schedule = schedule,
                  .stages = stages,
                  .chunks = chunks,
                  .micro_batches = micro_batches,
                  .send = 2e-4,
                  .overlap_send = true};
  result.costs.assign(static_cast<std::size_t>(stages * chunks), chunk);
  return result;
}

void report(benchmark::State& state, const Pipeline& work) {
  const auto passes = static_cast<double>(2 * work.stages * work.chunks * work.micro_batches);
  state.counters["timelines/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  state.counters["s/pass"] = benchmark::Counter(static_cast<double>(state.iterations()) * passes,
                                                benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

/// PP16, VPP2, 64 micro-batches. Every thread has its own costs, which change from one timeline to the next.
void timelines(benchmark::State& state, Schedule schedule, bool pair) {
  const std::int64_t chunks = schedule == Schedule::one_f_one_b || schedule == Schedule::zero_bubble ? 1 : 2;
  Pipeline work = pipeline(schedule, 16, chunks, 64);
  work.pair = pair;
  TimelineWorkspace workspace;
  for (auto _ : state) {
    work.costs[3].forward.alone += 1e-9;
    benchmark::DoNotOptimize(simulate(work, false, workspace));
  }
  report(state, work);
}

/// The same with another layout every time, so that no order of work can be kept.
void changing_layouts(benchmark::State& state) {
  Pipeline first = pipeline(Schedule::interleaved, 16, 2, 64);
  Pipeline second = first;
  second.pair = true;
  TimelineWorkspace workspace;
  for (auto _ : state) {
    benchmark::DoNotOptimize(simulate(first, false, workspace));
    std::swap(first, second);
  }
  report(state, first);
}

/// s/pass stays as chunks × micro-batches grow: the cost is linear.
void linear(benchmark::State& state) {
  const Pipeline work = pipeline(Schedule::interleaved, 16, state.range(0), state.range(1));
  TimelineWorkspace workspace;
  for (auto _ : state) benchmark::DoNotOptimize(simulate(work, false, workspace));
  report(state, work);
  state.SetComplexityN(state.range(0) * state.range(1));
}

void with_events(benchmark::State& state) {
  const Pipeline work = pipeline(Schedule::interleaved, 16, 2, 64);
  TimelineWorkspace workspace;
  for (auto _ : state) benchmark::DoNotOptimize(simulate(work, true, workspace));
  report(state, work);
}

}  // namespace

BENCHMARK_CAPTURE(timelines, interleaved, Schedule::interleaved, false)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(timelines, interleaved_pairs, Schedule::interleaved, true)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(timelines, dualpipe_v_pairs, Schedule::dualpipe_v, true)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(timelines, one_f_one_b, Schedule::one_f_one_b, false)->Threads(1)->UseRealTime();
BENCHMARK_CAPTURE(timelines, zero_bubble, Schedule::zero_bubble, false)->Threads(1)->UseRealTime();
BENCHMARK(changing_layouts)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(with_events);
BENCHMARK(linear)->ArgsProduct({{2, 4, 8}, {16, 64, 256, 1024}})->Complexity(benchmark::oN);

BENCHMARK_MAIN();
