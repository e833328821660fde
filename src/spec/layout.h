#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/visit.h"

/// How one training run is spread over devices: parallel degrees, batch, schedule, and what is recomputed, swapped,
/// overlapped and fused.
namespace filigree::spec {

enum class Dtype { fp32, tf32, bf16, fp16, fp8, fp4 };
enum class Schedule { one_f_one_b, interleaved, zero_bubble, dualpipe_v };
/// How tokens reach the ranks that hold their experts.
enum class Dispatcher {
  all_to_all,  ///< one copy for each (token, expert)
  all_gather,  ///< every rank of the group gets every token
  hierarchical,  ///< all-gather between nodes, all-to-all inside (Ascend/MindSpeed: docs/features/hierarchical-alltoallv.md)
  deduplicated  ///< one copy of a token a node, spread inside it (deepseek-ai/DeepEP)
};
/// How context parallelism brings keys and values to the queries.
enum class Context {
  ring,       ///< keys and values pass round (ring attention, arXiv 2310.01889)
  all_to_all  ///< heads are exchanged for tokens (DeepSpeed Ulysses, arXiv 2309.14509)
};
/// Communication that is hidden behind computation.
enum class Overlap {
  gradients,   ///< data-parallel gradient reduction behind the backward pass
  parameters,  ///< gathering of parameters behind the forward pass
  tensor,      ///< tensor-parallel collectives behind the matrix products they feed
  experts,     ///< expert communication behind another micro-batch (Ascend/MindSpeed: megatron-moe-fb-overlap.md)
  shared,      ///< expert communication behind the shared expert of the same micro-batch
  pipeline,    ///< sends between pipeline stages
  context      ///< ring attention's exchange behind its attention
};
/// Parts of a layer, named for recomputation and swapping.
enum class Part {
  norms,       ///< outputs of the norms
  attention,   ///< the attention kernel, between its projections
  qkv_up,      ///< query/key/value (latent attention: the up-projections)
  activation,  ///< the non-linearity of dense and expert feed-forward
  permute,     ///< tokens in expert order, with their communication
  experts,     ///< the whole routed path
  layer        ///< the whole layer: only its input is kept
};

std::string_view dtype_name(Dtype dtype);
double dtype_bytes(Dtype dtype);

struct Layout {
  std::int64_t tp = 1;         ///< tensor parallel
  std::int64_t pp = 1;         ///< pipeline stages
  std::int64_t vpp = 1;        ///< chunks a stage
  std::int64_t cp = 1;         ///< context parallel
  std::int64_t ep = 1;         ///< expert parallel
  std::int64_t etp = 1;        ///< tensor parallel inside an expert
  std::int64_t dp = 0;         ///< data parallel; 0: devices / (tp·cp·pp)
  std::int64_t devices = 0;    ///< 0: tp·cp·pp·dp
  bool tp_extends_ep = false;  ///< experts are spread over tp·ep ranks (Ascend/MindSpeed: --moe-tp-extend-ep)
  std::int64_t zero =
      1;                 ///< ZeRO stage over the data-parallel group: 0 nothing, 1 optimizer, 2 gradients, 3 parameters
  bool sp = true;        ///< sequence parallelism: norms and residuals are split over tp
  std::int64_t mbs = 1;  ///< sequences in one micro-batch
  std::int64_t gbs = 0;  ///< sequences in one step
  std::int64_t seq = 4096;  ///< tokens in one sequence
  Schedule schedule = Schedule::one_f_one_b;
  std::vector<Part> recompute;
  std::vector<Part> swap;  ///< to host memory and back
  bool offload_optimizer = false;
  Dispatcher dispatcher = Dispatcher::all_to_all;
  Context context = Context::ring;
  std::vector<Overlap> overlap;
  Dtype dtype = Dtype::bf16;  ///< of matrix products
  Dtype activation_dtype = Dtype::bf16;
  Dtype parameter_dtype = Dtype::bf16;
  Dtype gradient_dtype = Dtype::fp32;  ///< kept and reduced
  double optimizer_bytes = 12;         ///< a parameter: float32 master and two moments
  bool fused = true;                   ///< fused norms, rotary embedding, SwiGLU, permutation, cross-entropy
  bool flash_attention = true;         ///< scores never reach memory
  bool dropout = false;
  bool graphs = false;               ///< device graphs: no launch cost on the host
  bool cross_entropy_fused = true;   ///< logits stay in the activation dtype
  std::vector<std::int64_t> stages;  ///< layers a chunk, in model order; empty: as even as can be
  std::int64_t noop_layers = 0;      ///< empty layers that make the count divide
  bool expert_placement =
      false;  ///< experts are re-placed periodically by measured load (Ascend/MindSpeed: expert_placement/planner.py)
  double capacity_factor = 0;  ///< drop-and-pad at this factor; 0: dropless

  bool overlaps(Overlap what) const;
  bool recomputes(Part what) const;
  bool swaps(Part what) const;
  bool operator==(const Layout&) const = default;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("tp", self.tp, "tensor parallel", at_least(1));
    v.optional("pp", self.pp, "pipeline stages", at_least(1));
    v.optional("vpp", self.vpp, "chunks a stage", at_least(1));
    v.optional("cp", self.cp, "context parallel", at_least(1));
    v.optional("ep", self.ep, "expert parallel", at_least(1));
    v.optional("etp", self.etp, "tensor parallel inside an expert", at_least(1));
    v.optional("dp", self.dp, "data parallel; 0: from devices", non_negative);
    v.optional("devices", self.devices, "all devices; 0: tp·cp·pp·dp", non_negative);
    v.optional("tp_extends_ep", self.tp_extends_ep, "experts are spread over tp·ep ranks");
    v.optional("zero", self.zero, "ZeRO stage 0 to 3", between(0, 3));
    v.optional("sp", self.sp, "sequence parallelism over tp");
    v.optional("mbs", self.mbs, "sequences in a micro-batch", at_least(1));
    v.optional("gbs", self.gbs, "sequences in a step; 0: one micro-batch a pipeline chunk and replica", non_negative);
    v.optional("seq", self.seq, "tokens in a sequence", at_least(1));
    v.optional("schedule", self.schedule, "pipeline schedule");
    v.optional("recompute", self.recompute, "parts computed again in the backward pass");
    v.optional("swap", self.swap, "parts kept in host memory");
    v.optional("offload_optimizer", self.offload_optimizer, "optimizer state in host memory");
    v.optional("dispatcher", self.dispatcher, "how tokens reach experts");
    v.optional("context", self.context, "how context parallelism exchanges keys and values");
    v.optional("overlap", self.overlap, "communication hidden behind computation");
    v.optional("dtype", self.dtype, "of matrix products");
    v.optional("activation_dtype", self.activation_dtype, "of activations in memory");
    v.optional("parameter_dtype", self.parameter_dtype, "of parameters in memory");
    v.optional("gradient_dtype", self.gradient_dtype, "of gradients kept and reduced");
    v.optional("optimizer_bytes", self.optimizer_bytes, "optimizer bytes a parameter", non_negative);
    v.optional("fused", self.fused, "fused small operators");
    v.optional("flash_attention", self.flash_attention, "fused attention");
    v.optional("dropout", self.dropout, "dropout is on");
    v.optional("graphs", self.graphs, "device graphs");
    v.optional("cross_entropy_fused", self.cross_entropy_fused, "fused cross-entropy");
    v.optional("stages", self.stages, "layers of each chunk in model order; empty: even", non_negative);
    v.optional("noop_layers", self.noop_layers, "empty layers that make the count divide", non_negative);
    v.optional("expert_placement", self.expert_placement, "experts are re-placed by measured load");
    v.optional("capacity_factor", self.capacity_factor, "drop-and-pad factor; 0: dropless", non_negative);
  }
};

}  // namespace filigree::spec

template <>
struct filigree::EnumNames<filigree::spec::Dtype> {
  using E = filigree::spec::Dtype;
  static constexpr std::array<std::pair<E, std::string_view>, 6> table{
      {{E::fp32, "fp32"}, {E::tf32, "tf32"}, {E::bf16, "bf16"}, {E::fp16, "fp16"}, {E::fp8, "fp8"}, {E::fp4, "fp4"}}};
};
template <>
struct filigree::EnumNames<filigree::spec::Schedule> {
  using E = filigree::spec::Schedule;
  static constexpr std::array<std::pair<E, std::string_view>, 4> table{{{E::one_f_one_b, "1f1b"},
                                                                        {E::interleaved, "interleaved"},
                                                                        {E::zero_bubble, "zero-bubble"},
                                                                        {E::dualpipe_v, "dualpipe-v"}}};
};
template <>
struct filigree::EnumNames<filigree::spec::Dispatcher> {
  using E = filigree::spec::Dispatcher;
  static constexpr std::array<std::pair<E, std::string_view>, 4> table{{{E::all_to_all, "all-to-all"},
                                                                        {E::all_gather, "all-gather"},
                                                                        {E::hierarchical, "hierarchical"},
                                                                        {E::deduplicated, "deduplicated"}}};
};
template <>
struct filigree::EnumNames<filigree::spec::Context> {
  using E = filigree::spec::Context;
  static constexpr std::array<std::pair<E, std::string_view>, 2> table{
      {{E::ring, "ring"}, {E::all_to_all, "all-to-all"}}};
};
template <>
struct filigree::EnumNames<filigree::spec::Overlap> {
  using E = filigree::spec::Overlap;
  static constexpr std::array<std::pair<E, std::string_view>, 7> table{{{E::gradients, "gradients"},
                                                                        {E::parameters, "parameters"},
                                                                        {E::tensor, "tensor"},
                                                                        {E::experts, "experts"},
                                                                        {E::shared, "shared"},
                                                                        {E::pipeline, "pipeline"},
                                                                        {E::context, "context"}}};
};
template <>
struct filigree::EnumNames<filigree::spec::Part> {
  using E = filigree::spec::Part;
  static constexpr std::array<std::pair<E, std::string_view>, 7> table{{{E::norms, "norms"},
                                                                        {E::attention, "attention"},
                                                                        {E::qkv_up, "qkv-up"},
                                                                        {E::activation, "activation"},
                                                                        {E::permute, "permute"},
                                                                        {E::experts, "experts"},
                                                                        {E::layer, "layer"}}};
};
