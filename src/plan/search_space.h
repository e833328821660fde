#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/visit.h"
#include "spec/cluster.h"
#include "spec/layout.h"
#include "spec/model.h"

/// The layouts that a search goes through: a list of values for each setting.
namespace filigree::plan {

/// How layers are dealt out to the chunks of the pipeline.
enum class Split {
  even,     ///< as the layout says: its stages and empty layers, else as even as can be
  noop,     ///< with as many empty layers as make the count divide, before multi-token prediction
  balanced  ///< whole layers moved away from the chunks that also hold the embedding, the head or multi-token prediction,
            ///< so that the fullest stage has the fewest operations (plan/split.h)
};

/// Every combination of these values is a candidate. An empty list is filled by complete_space.
/// A set of parts is written none, fine (= norms/activation/qkv-up), or as names joined by '/'.
struct SearchSpace {
  std::vector<std::int64_t> tp, pp, vpp, cp, ep, etp, mbs;
  std::vector<bool> tp_extends_ep;
  std::vector<spec::Schedule> schedule;
  std::vector<Split> split;
  std::vector<std::string> recompute, swap;
  std::vector<spec::Dispatcher> dispatcher;
  std::vector<spec::Context> context;
  std::vector<std::int64_t> zero;
  std::vector<bool> offload_optimizer;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("tp", self.tp, "tensor parallel", at_least(1));
    v.optional("pp", self.pp, "pipeline stages", at_least(1));
    v.optional("vpp", self.vpp, "chunks a stage", at_least(1));
    v.optional("cp", self.cp, "context parallel", at_least(1));
    v.optional("ep", self.ep, "expert parallel", at_least(1));
    v.optional("etp", self.etp, "tensor parallel inside an expert", at_least(1));
    v.optional("mbs", self.mbs, "sequences in a micro-batch", at_least(1));
    v.optional("tp_extends_ep", self.tp_extends_ep, "whether experts are spread over tp·ep ranks");
    v.optional("schedule", self.schedule, "pipeline schedules");
    v.optional("split", self.split, "how layers are dealt out: even, noop, balanced");
    v.optional("recompute", self.recompute, "sets of parts computed again: none, fine, or names joined by '/'");
    v.optional("swap", self.swap, "sets of parts kept in host memory");
    v.optional("dispatcher", self.dispatcher, "how tokens reach experts");
    v.optional("context", self.context, "how context parallelism exchanges keys and values");
    v.optional("zero", self.zero, "ZeRO stages", between(0, 3));
    v.optional("offload_optimizer", self.offload_optimizer, "whether optimizer state is in host memory");
  }
};

/// Settings that all candidates share, and which of them are fixed: a list of the space with that name then has this one
/// value.
struct SearchBase {
  spec::Layout layout;
  std::vector<std::string> fixed;

  bool fixes(const std::string& key) const;
};

/// A base from a JSON file or inline text, as spec::parse_layout reads layouts; what is named there is fixed.
SearchBase parse_base(const std::string& text_or_path);

/// A space from a JSON file or inline text: "tp=4+8,schedule=interleaved,recompute=none+fine+layer".
SearchSpace parse_space(const std::string& text_or_path);

/// "norms/qkv-up", "fine" or "none" as parts. Error on another word.
std::vector<spec::Part> parse_parts(const std::string& text);

/// What lists are filled from.
struct SpaceInputs {
  const spec::Model& model;
  const spec::Cluster& cluster;
  const SearchBase& base;
  std::int64_t devices = 0;
};

/// The space with every list filled: from the base where it fixes the setting, else with what the model, the cluster and
/// the number of devices suggest. Values given twice are taken once, and parts of experts are left out of sets where the
/// model has none.
/// Error where the space lists a setting that the base fixes, or a set of parts cannot be read.
SearchSpace complete_space(SearchSpace space, const SpaceInputs& inputs);

}  // namespace filigree::plan

template <>
struct filigree::EnumNames<filigree::plan::Split> {
  using E = filigree::plan::Split;
  static constexpr std::array<std::pair<E, std::string_view>, 3> table{
      {{E::even, "even"}, {E::noop, "noop"}, {E::balanced, "balanced"}}};
};
