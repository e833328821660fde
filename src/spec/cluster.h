#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/visit.h"

/// Hardware: an accelerator with its measured efficiencies, and the networks that join accelerators.
namespace filigree::spec {

/// Time of `groups` products [m, k] · [k, n] as a function of their shape:
///     kernel start + max(2 · groups · max(m · n, units · tile²) · (k + k_fill) / (peak · max), bytes / (memory · bandwidth))
/// k_fill is what filling and emptying a tile's pipeline costs, as if k were that much longer; `tile` is the least output
/// that keeps one unit busy. Hard waves of large tiles predict worse, since libraries change tiles and split k with the
/// shape (tools/measure_operators.py, recipes/measured/operators_h100.csv).
struct MatrixCurve {
  double max = 0.75;    ///< share of the peak at large shapes
  double k_fill = 100;  ///< in 16-bit elements; narrower ones need proportionally more
  double tile = 64;
  double row_tile = 1;     ///< rows of each group are rounded up to a multiple
  double memory = 0.75;    ///< share of the memory bandwidth where bytes limit
  double unaligned = 0.4;  ///< multiple of max where n or k is no multiple of 8 (a vocabulary of 50,257)
  double weight = 1;       ///< backward-weight products run at this multiple of max (they accumulate in float32)

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("max", self.max, "share of the peak at large shapes", positive_fraction);
    v.optional("k_fill", self.k_fill, "cost of a tile's start and end, in 16-bit elements of k", non_negative);
    v.optional("tile", self.tile, "side of the least output that keeps one unit busy", at_least(1));
    v.optional("row_tile", self.row_tile, "rows of a group are rounded up to a multiple", at_least(1));
    v.optional("memory", self.memory, "share of the memory bandwidth where bytes limit", positive_fraction);
    v.optional("unaligned", self.unaligned, "multiple of max where n or k is no multiple of 8", positive_fraction);
    v.optional("weight", self.weight, "multiple of max for backward-weight products", positive);
  }
};

/// Fused attention: time = kernel start + (F · (1 + fill / keys) + tail) / (peak · share), where F counts the causal half
/// and tail = causal_tail · 2 · X · units · 128 · keys stands for the longest tiles, which run last and alone
/// (X: head sizes as in plan/rates.h).
struct AttentionCurve {
  double forward = 0.6;  ///< share of the 16-bit peak, forward
  double backward = 0.5;
  double forward_fill = 0;  ///< keys
  double backward_fill = 0;
  double causal_tail = 0;
  double unfused = 0.7;  ///< attention in separate operators: rate of passes over the scores against a copy's

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("forward", self.forward, "share of the 16-bit peak, forward", positive_fraction);
    v.required("backward", self.backward, "share of the 16-bit peak, backward", positive_fraction);
    v.optional("forward_fill", self.forward_fill, "start-up, as if there were that many more keys", non_negative);
    v.optional("backward_fill", self.backward_fill, "the same, backward", non_negative);
    v.optional("unfused", self.unfused, "unfused attention: rate of passes over scores against a copy's",
               positive_fraction);
    v.optional("causal_tail", self.causal_tail, "weight of the last tiles of causal attention", non_negative);
  }
};

struct Accelerator {
  std::string name;
  std::map<std::string, double> peak_tflops;  ///< dense, by dtype
  double memory_gib = 0;                      ///< that a program can use
  double memory_gb_s = 0;
  double memory_efficiency = 0.85;             ///< share of it that elementwise operators reach
  double units = 108;                          ///< multiprocessors (cube cores)
  double kernel_us = 2;                        ///< fixed device time of one kernel
  double host_us = 5;                          ///< host time to launch one kernel
  std::map<std::string, MatrixCurve> matrix;   ///< by dtype
  std::map<std::string, MatrixCurve> grouped;  ///< grouped (expert) products by dtype; absent: as matrix
  AttentionCurve attention;
  double price_per_hour = 0;  ///< 0: unknown
  double power_w = 0;
  std::map<std::string, std::string> sources;  ///< where each figure comes from

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("name", self.name, "name");
    v.required("peak_tflops", self.peak_tflops, "dense peak by dtype, TFLOP/s", positive);
    v.required("memory_gib", self.memory_gib, "memory a program can use, GiB", positive);
    v.required("memory_gb_s", self.memory_gb_s, "memory bandwidth, GB/s", positive);
    v.optional("memory_efficiency", self.memory_efficiency, "share that elementwise operators reach",
               positive_fraction);
    v.required("units", self.units, "multiprocessors or cube cores", at_least(1));
    v.optional("kernel_us", self.kernel_us, "fixed device time of a kernel, µs", non_negative);
    v.optional("host_us", self.host_us, "host time to launch a kernel, µs", non_negative);
    v.required("matrix", self.matrix, "matrix products by dtype");
    v.optional("grouped", self.grouped, "grouped matrix products by dtype");
    v.required("attention", self.attention, "fused attention");
    v.optional("price_per_hour", self.price_per_hour, "rental price of a device, $/h; 0: unknown", non_negative);
    v.optional("power_w", self.power_w, "design power, W", non_negative);
    v.optional("sources", self.sources, "source of each figure");
  }
};

enum class Topology { full_mesh, switched };  // mesh: a pair has only its own link

/// One network tier: devices in groups of `devices` reach each other through it.
struct Tier {
  std::string name;
  std::int64_t devices = 0;  ///< size of one group; 0: unlimited (the outermost)
  Topology topology = Topology::switched;
  double gb_s = 0;          ///< line rate a device and direction
  double latency_us = 0;    ///< of one step of a collective
  double launch_us = 0;     ///< fixed, for one collective
  double all_reduce = 0.8;  ///< share of the line rate by collective, at large sizes
  double all_gather = 0.8;  ///< also reduce-scatter
  double all_to_all = 0.7;
  double point_to_point = 0.8;
  double half_mib = 0;  ///< message size (MiB a rank) at which the share is halved

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("name", self.name, "name");
    v.required("devices", self.devices, "devices in one group; 0: unlimited", non_negative);
    v.optional("topology", self.topology, "full-mesh or switched");
    v.required("gb_s", self.gb_s, "line rate a device and direction, GB/s", positive);
    v.required("latency_us", self.latency_us, "one step, µs", non_negative);
    v.optional("launch_us", self.launch_us, "fixed cost of a collective, µs", non_negative);
    v.optional("all_reduce", self.all_reduce, "share of the line rate", positive_fraction);
    v.optional("all_gather", self.all_gather, "share, also for reduce-scatter", positive_fraction);
    v.optional("all_to_all", self.all_to_all, "share", positive_fraction);
    v.optional("point_to_point", self.point_to_point, "share", positive_fraction);
    v.optional("half_mib", self.half_mib, "message size at which the share is halved, MiB", non_negative);
  }
};

struct Cluster {
  std::string name;
  Accelerator accelerator;
  std::vector<Tier> tiers;      ///< innermost first
  double host_gb_s = 0;         ///< to host memory, a device and direction
  double step_overhead_ms = 0;  ///< host work once a step: data, logging, synchronisation
  double context_gib = 0;       ///< taken by runtime and communication libraries
  std::map<std::string, std::string> sources;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("name", self.name, "name");
    v.required("accelerator", self.accelerator, "the accelerator");
    v.required("tiers", self.tiers, "networks, innermost first");
    v.required("host_gb_s", self.host_gb_s, "to host memory, GB/s", positive);
    v.optional("step_overhead_ms", self.step_overhead_ms, "host work once a step, ms", non_negative);
    v.optional("context_gib", self.context_gib, "memory taken by runtime and libraries, GiB", non_negative);
    v.optional("sources", self.sources, "source of each figure");
  }
};

}  // namespace filigree::spec

template <>
struct filigree::EnumNames<filigree::spec::Topology> {
  using E = filigree::spec::Topology;
  static constexpr std::array<std::pair<E, std::string_view>, 2> table{
      {{E::full_mesh, "full-mesh"}, {E::switched, "switched"}}};
};
