#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/visit.h"

/// Hardware: an accelerator with its measured efficiencies, and the networks that join accelerators.
namespace filigree::spec {

/// Rate of matrix products as a function of their shape.
///   efficiency = max · k / (k + k_half) · (tiles / rounded-up waves of tiles over the units)^wave
/// on top of which the product never runs faster than its bytes allow.
struct MatrixCurve {
  double max = 0.8;       ///< largest share of the peak
  double k_half = 0;      ///< inner size at which the share is halved: filling and emptying a tile's pipeline
  double tile_m = 128;
  double tile_n = 256;
  double wave = 1;        ///< 1: the last wave of tiles costs a whole wave; 0: no such loss
  double weight = 1;      ///< backward-weight products run at this multiple of max (they accumulate in float32)

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("max", self.max, "largest share of the peak", positive_fraction);
    v.optional("k_half", self.k_half, "inner size at which the share is halved", non_negative);
    v.optional("tile_m", self.tile_m, "rows of an output tile", at_least(1));
    v.optional("tile_n", self.tile_n, "columns of an output tile", at_least(1));
    v.optional("wave", self.wave, "share of the last wave's waste that is paid", fraction);
    v.optional("weight", self.weight, "multiple of max for backward-weight products", positive);
  }
};

struct AttentionCurve {
  double forward = 0.6;      ///< share of the bf16 peak at long sequences, causal work counted as done
  double backward = 0.5;
  double seq_half = 0;       ///< sequence length at which the share is halved
  double parallel_half = 0;  ///< (heads × micro-batch) at which the share is halved

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("forward", self.forward, "share of the peak, forward", positive_fraction);
    v.required("backward", self.backward, "share of the peak, backward", positive_fraction);
    v.optional("seq_half", self.seq_half, "sequence length at which the share is halved", non_negative);
    v.optional("parallel_half", self.parallel_half, "heads × sequences at which the share is halved", non_negative);
  }
};

struct Accelerator {
  std::string name;
  std::map<std::string, double> peak_tflops;  ///< dense, by dtype
  double memory_gib = 0;                      ///< that a program can use
  double memory_gb_s = 0;
  double memory_efficiency = 0.85;            ///< share of it that elementwise operators reach
  double units = 108;                         ///< multiprocessors (cube cores)
  double kernel_us = 2;                       ///< fixed device time of one kernel
  double host_us = 5;                         ///< host time to launch one kernel
  std::map<std::string, MatrixCurve> matrix;  ///< by dtype
  std::map<std::string, MatrixCurve> grouped; ///< grouped (expert) products by dtype; absent: as matrix
  AttentionCurve attention;
  double communication_share = 0;             ///< of compute rate lost while a collective runs beside it
  double price_per_hour = 0;                  ///< 0: unknown
  double power_w = 0;
  std::map<std::string, std::string> sources; ///< where each figure comes from

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("name", self.name, "name");
    v.required("peak_tflops", self.peak_tflops, "dense peak by dtype, TFLOP/s", positive);
    v.required("memory_gib", self.memory_gib, "memory a program can use, GiB", positive);
    v.required("memory_gb_s", self.memory_gb_s, "memory bandwidth, GB/s", positive);
    v.optional("memory_efficiency", self.memory_efficiency, "share that elementwise operators reach", positive_fraction);
    v.required("units", self.units, "multiprocessors or cube cores", at_least(1));
    v.optional("kernel_us", self.kernel_us, "fixed device time of a kernel, µs", non_negative);
    v.optional("host_us", self.host_us, "host time to launch a kernel, µs", non_negative);
    v.required("matrix", self.matrix, "matrix products by dtype");
    v.optional("grouped", self.grouped, "grouped matrix products by dtype");
    v.required("attention", self.attention, "fused attention");
    v.optional("communication_share", self.communication_share, "compute rate lost beside a collective", fraction);
    v.optional("price_per_hour", self.price_per_hour, "rental price of a device, $/h; 0: unknown", non_negative);
    v.optional("power_w", self.power_w, "design power, W", non_negative);
    v.optional("sources", self.sources, "source of each figure");
  }
};

enum class Topology { full_mesh, switched };  // mesh: a pair has only its own link

/// One network tier: devices in groups of `devices` reach each other through it.
struct Tier {
  std::string name;
  std::int64_t devices = 0;      ///< size of one group; 0: unlimited (the outermost)
  Topology topology = Topology::switched;
  double gb_s = 0;               ///< line rate a device and direction
  double latency_us = 0;         ///< of one step of a collective
  double launch_us = 0;          ///< fixed, for one collective
  double all_reduce = 0.8;       ///< share of the line rate by collective, at large sizes
  double all_gather = 0.8;       ///< also reduce-scatter
  double all_to_all = 0.7;
  double point_to_point = 0.8;
  double half_mib = 0;           ///< message size (MiB a rank) at which the share is halved

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
  std::vector<Tier> tiers;  ///< innermost first
  double host_gb_s = 0;     ///< to host memory, a device and direction
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
