#include "plan/candidates.h"

#include <algorithm>

#include "spec/resolve.h"

namespace filigree::plan {
namespace {

using spec::Dispatcher;
using spec::Layout;
using spec::Schedule;

template <class T>
bool contains(const std::vector<T>& list, T value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

template <class T>
std::int64_t count(const std::vector<T>& list) {
  return static_cast<std::int64_t>(list.size());
}

/// Takes the last digit of a mixed-radix number.
template <class T>
T digit(std::int64_t& number, const std::vector<T>& list) {
  const std::int64_t radix = count(list), index = number % radix;
  number /= radix;
  return list[static_cast<std::size_t>(index)];
}

}  // namespace

Candidates::Candidates(SearchSpace space, Layout base, const spec::Model& model, std::int64_t node)
    : space_(std::move(space)), base_(std::move(base)), experts_(model.experts.has_value()), node_(node) {
  num_degrees_ = spec::saturating_product({count(space_.tp), count(space_.cp), count(space_.ep), count(space_.etp),
                                           count(space_.tp_extends_ep), count(space_.mbs)});
  list_settings();
  list_pipelines(model);
  for (const std::int64_t zero : space_.zero) {
    for (const bool offload : space_.offload_optimizer) states_.push_back({zero, offload});
  }
}

void Candidates::list_settings() {
  for (const std::string& recompute : space_.recompute) {
    for (const std::string& swap : space_.swap) {
      for (const Dispatcher dispatcher : space_.dispatcher) {
        for (const spec::Context context : space_.context) {
          settings_.push_back({parse_parts(recompute), parse_parts(swap), dispatcher, context});
        }
      }
    }
  }
}

void Candidates::list_pipelines(const spec::Model& model) {
  Layout layout = base_;
  for (const std::int64_t pp : space_.pp) {
    for (const std::int64_t vpp : space_.vpp) {
      for (const Schedule schedule : space_.schedule) {
        for (const Split split : space_.split) {
          PipelineChoice choice{pp, vpp, schedule, {base_.stages, base_.noop_layers}, num_shapes_, false};
          layout.pp = pp, layout.vpp = vpp, layout.schedule = schedule;
          const bool possible = pp * vpp <= spec::pipeline_layers(base_, model);
          if (const auto found = possible ? choose_split(split, layout, model) : std::nullopt) {
            choice.split = *found;
          } else {
            choice.repeated = split != Split::even && contains(space_.split, Split::even);
          }
          // 1F1B with several chunks is the interleaved schedule (spec::complete).
          if (schedule == Schedule::one_f_one_b && vpp > 1) {
            choice.schedule = Schedule::interleaved;
            choice.repeated |= contains(space_.schedule, Schedule::interleaved);
          }
          // With one stage there is no bubble to fill.
          if (schedule == Schedule::zero_bubble && pp == 1 && vpp == 1) {
            choice.repeated |= contains(space_.schedule, Schedule::one_f_one_b);
          }
          pipelines_.push_back(std::move(choice));
        }
        ++num_shapes_;
      }
    }
  }
}

std::int64_t Candidates::size() const {
  return spec::saturating_product({num_degrees_, count(settings_), count(pipelines_), count(states_)});
}

void Candidates::set_degrees(std::int64_t index, Layout& layout) const {
  layout.mbs = digit(index, space_.mbs);
  layout.tp_extends_ep = digit(index, space_.tp_extends_ep);
  layout.etp = digit(index, space_.etp);
  layout.ep = digit(index, space_.ep);
  layout.cp = digit(index, space_.cp);
  layout.tp = digit(index, space_.tp);
}

void Candidates::set_settings(std::int32_t index, Layout& layout) const {
  const SettingsChoice& choice = settings_[static_cast<std::size_t>(index)];
  layout.recompute = choice.recompute;
  layout.swap = choice.swap;
  layout.dispatcher = choice.dispatcher;
  layout.context = choice.context;
}

void Candidates::set_pipeline(std::int32_t index, Layout& layout) const {
  const PipelineChoice& choice = pipelines_[static_cast<std::size_t>(index)];
  layout.pp = choice.pp;
  layout.vpp = choice.vpp;
  layout.schedule = choice.schedule;
  layout.stages = choice.split.stages;
  layout.noop_layers = choice.split.noop_layers;
  // Rounded down: the rule "devices" then finds the rest. A base that fixes dp keeps it.
  const std::int64_t replica = spec::saturating_product({layout.tp, layout.cp, layout.pp});
  layout.dp = base_.dp > 0 ? base_.dp : std::max<std::int64_t>(1, layout.devices / replica);
}

void Candidates::set_state(std::int32_t index, Layout& layout) const {
  layout.zero = states_[static_cast<std::size_t>(index)].zero;
  layout.offload_optimizer = states_[static_cast<std::size_t>(index)].offload_optimizer;
}

Layout Candidates::layout(const CandidateId& id) const {
  Layout layout = base_;
  set_degrees(id.degrees, layout);
  set_settings(id.settings, layout);
  set_pipeline(id.pipeline, layout);
  set_state(id.state, layout);
  return layout;
}

bool Candidates::repeats(const Layout& degrees) const {
  // Experts over tp·ep ranks, each with whole experts, stand where ep ranks of that number put them.
  const bool other = contains(space_.ep, degrees.tp * degrees.ep) && contains(space_.etp, std::int64_t{1});
  return degrees.tp_extends_ep && contains(space_.tp_extends_ep, false) && other;
}

bool Candidates::repeats(const Layout& degrees, std::int32_t index) const {
  const SettingsChoice& choice = settings_[static_cast<std::size_t>(index)];
  const std::int64_t ranks = spec::expert_ranks(degrees);
  // Ranks stand etp apart (plan/layer.h: expert_group).
  const bool one_node = ranks * (degrees.tp_extends_ep ? 1 : degrees.etp) <= node_;
  const Dispatcher first = space_.dispatcher.front();
  if (!experts_ || ranks == 1) {
    if (choice.dispatcher != first) return true;
  } else if (one_node && contains(space_.dispatcher, Dispatcher::all_to_all)) {
    // Inside a node hierarchical and de-duplicated exchanges are the flat one.
    if (choice.dispatcher == Dispatcher::hierarchical || choice.dispatcher == Dispatcher::deduplicated) return true;
  }
  return degrees.cp == 1 && choice.context != space_.context.front();
}

std::int64_t Candidates::frame(const CandidateId& id) const {
  return id.degrees * num_shapes_ + pipelines_[static_cast<std::size_t>(id.pipeline)].shape;
}

}  // namespace filigree::plan
