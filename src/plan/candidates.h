#pragma once

#include <cstdint>
#include <vector>

#include "plan/search_space.h"
#include "plan/split.h"

/// The candidates of a search by number, without a list of them.
namespace filigree::plan {

/// A candidate is four numbers: its parallel degrees, its settings, its pipeline and its optimizer state. Settings,
/// pipelines and states are few and kept; parallel degrees are worked out from their number.
struct CandidateId {
  std::int64_t degrees = 0;   ///< tp, cp, ep, etp, tp_extends_ep, mbs
  std::int32_t settings = 0;  ///< recompute, swap, dispatcher, context
  std::int32_t pipeline = 0;  ///< pp, vpp, schedule, split
  std::int32_t state = 0;     ///< zero, offload_optimizer

  /// The order in which the lists of the space name them: what stands first is preferred among equals.
  auto operator<=>(const CandidateId&) const = default;
};

struct SettingsChoice {
  std::vector<spec::Part> recompute, swap;
  spec::Dispatcher dispatcher = spec::Dispatcher::all_to_all;
  spec::Context context = spec::Context::ring;
};

struct PipelineChoice {
  std::int64_t pp = 1, vpp = 1;
  spec::Schedule schedule = spec::Schedule::one_f_one_b;
  SplitChoice split;
  std::int32_t shape = 0;  ///< the same for pipelines that differ in their split only
  bool repeated = false;   ///< equivalent to an earlier one
};

struct StateChoice {
  std::int64_t zero = 1;
  bool offload_optimizer = false;
};

/// Every combination of a complete space over a base layout whose devices, gbs and seq are set.
class Candidates {
 public:
  /// `node`: devices of the innermost network, inside which dispatchers do not differ.
  Candidates(SearchSpace space, spec::Layout base, const spec::Model& model, std::int64_t node);

  std::int64_t num_degrees() const { return num_degrees_; }
  const std::vector<SettingsChoice>& settings() const { return settings_; }
  const std::vector<PipelineChoice>& pipelines() const { return pipelines_; }
  const std::vector<StateChoice>& states() const { return states_; }
  /// All combinations, at most the largest int64.
  std::int64_t size() const;

  const SearchSpace& space() const { return space_; }
  const spec::Layout& base() const { return base_; }

  /// Each sets its part of `layout`, which began as base(). set_pipeline comes after set_degrees: it sets dp.
  void set_degrees(std::int64_t index, spec::Layout& layout) const;
  void set_settings(std::int32_t index, spec::Layout& layout) const;
  void set_pipeline(std::int32_t index, spec::Layout& layout) const;
  void set_state(std::int32_t index, spec::Layout& layout) const;
  spec::Layout layout(const CandidateId& id) const;

  /// Whether another candidate is the same run, so that this one need not be looked at.
  bool repeats(const spec::Layout& degrees) const;
  bool repeats(const spec::Layout& degrees, std::int32_t settings) const;
  /// A number that candidates share which differ only in settings, split and state.
  std::int64_t frame(const CandidateId& id) const;

 private:
  void list_settings();
  void list_pipelines(const spec::Model& model);

  SearchSpace space_;
  spec::Layout base_;
  bool experts_ = false;
  std::int64_t node_ = 1;
  std::int64_t num_degrees_ = 0;
  std::int32_t num_shapes_ = 0;
  std::vector<SettingsChoice> settings_;
  std::vector<PipelineChoice> pipelines_;
  std::vector<StateChoice> states_;
};

}  // namespace filigree::plan
