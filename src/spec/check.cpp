#include "spec/check.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"
#include "base/text.h"
#include "spec/resolve.h"

namespace filigree::spec {
namespace {

using L = const Layout&;
using M = const Model&;

constexpr std::int64_t kMaxDevices = std::int64_t{1} << 24;
constexpr std::int64_t kMaxTokens = std::int64_t{1} << 48;
constexpr std::int64_t kMaxChunks = std::int64_t{1} << 16;

/// Whether a is no multiple of b.
bool uneven(std::int64_t a, std::int64_t b) { return a % b != 0; }

/// One of the two must be a multiple of the other.
bool neither_divides(std::int64_t a, std::int64_t b) { return uneven(a, b) && uneven(b, a); }

/// "2 or 4": the divisors of `count` nearest to `wanted`, for advice.
std::string near_divisors(std::int64_t count, std::int64_t wanted) {
  std::int64_t below = std::min(count, wanted), above = below + 1;
  while (count % below != 0) --below;
  const std::int64_t last = std::min(count, 4 * wanted);
  while (above < last && count % above != 0) ++above;
  return above <= last && count % above == 0 ? fmt::format("{} or {}", below, above) : fmt::format("{}", below);
}

std::string ranks_text(L l) {
  return l.tp_extends_ep ? fmt::format("tp·ep = {}·{} = {}", l.tp, l.ep, expert_ranks(l))
                         : fmt::format("ep = {}", l.ep);
}

bool has_attention(M m) { return m.layer_pattern.empty() || m.layer_pattern.find('*') != std::string::npos; }

bool has_dense(M m) {
  if (!m.layer_pattern.empty()) return m.layer_pattern.find('-') != std::string::npos;
  return !m.experts || m.dense_prefix > 0 || m.expert_period > 1;
}

/// The schedule in fact run.
bool runs_interleaved(L l) { return l.schedule == Schedule::interleaved; }

std::int64_t stages_sum(L l) {
  std::int64_t sum = 0;
  for (const std::int64_t layers : l.stages) {
    if (__builtin_add_overflow(sum, layers, &sum)) return std::numeric_limits<std::int64_t>::max();
  }
  return sum;
}

bool swaps_recomputed(L l) {
  return std::any_of(l.swap.begin(), l.swap.end(), [&l](Part p) { return l.recomputes(p); });
}

constexpr std::array rules{
    LayoutRule{
        "size",
        [](L l, M) {
          return l.devices > kMaxDevices || l.noop_layers > kMaxChunks || l.etp > kMaxDevices || l.ep > kMaxDevices ||
                 l.vpp > kMaxChunks || saturating_product({l.gbs, l.seq}) > kMaxTokens || l.mbs > kMaxDevices;
        },
        [](L l, M) {
          return fmt::format(
              "layout: is beyond all bounds ({} devices, {} tokens a step); at most {} devices and {} tokens are "
              "planned for",
              l.devices, saturating_product({l.gbs, l.seq}), kMaxDevices, kMaxTokens);
        }},
    LayoutRule{"devices",
               [](L l, M) {
                 return saturating_product({l.tp, l.cp, l.pp, l.dp}) != l.devices;
               },
               [](L l, M) {
                 return fmt::format("layout: tp·cp·pp·dp = {}·{}·{}·{} = {}, but there are {} devices", l.tp, l.cp,
                                    l.pp, l.dp, saturating_product({l.tp, l.cp, l.pp, l.dp}), l.devices);
               }},
    LayoutRule{"pipeline over layers", [](L l, M m) { return l.pp * l.vpp > pipeline_layers(l, m); },
               [](L l, M m) {
                 return fmt::format(
                     "layout: pp·vpp = {}·{} = {} chunks need as many layers, but {} has {} ({} + {} multi-token "
                     "prediction + {} empty); lower pp or vpp",
                     l.pp, l.vpp, l.pp * l.vpp, m.name, pipeline_layers(l, m), m.layers, m.mtp_layers, l.noop_layers);
               }},
    LayoutRule{"stages",
               [](L l, M) { return !l.stages.empty() && static_cast<std::int64_t>(l.stages.size()) != l.pp * l.vpp; },
               [](L l, M) {
                 return fmt::format("layout: stages names {} chunks, but pp·vpp = {}·{} = {}", l.stages.size(), l.pp,
                                    l.vpp, l.pp * l.vpp);
               }},
    LayoutRule{
        "stages", [](L l, M m) { return !l.stages.empty() && stages_sum(l) != pipeline_layers(l, m); },
        [](L l, M m) {
          return fmt::format(
              "layout: the stages add up to {} layers, but {} has {} ({} + {} multi-token prediction + {} empty)",
              stages_sum(l), m.name, pipeline_layers(l, m), m.layers, m.mtp_layers, l.noop_layers);
        }},
    LayoutRule{
        "schedule", [](L l, M) { return l.vpp > 1 && l.pp == 1; },
        [](L l, M) { return fmt::format("layout: vpp={} needs more than one pipeline stage, but pp=1", l.vpp); }},
    LayoutRule{"schedule", [](L l, M) { return runs_interleaved(l) && l.vpp == 1; },
               [](L, M) { return std::string("layout: the interleaved schedule needs vpp of 2 or more, but vpp=1"); }},
    LayoutRule{
        "schedule", [](L l, M) { return l.schedule == Schedule::dualpipe_v && (l.vpp != 2 || l.pp == 1); },
        [](L l, M) {
          return fmt::format(
              "layout: dualpipe-v runs two chunks on each of several stages: it needs vpp=2 and pp of 2 or more, "
              "but vpp={} and pp={}",
              l.vpp, l.pp);
        }},
    LayoutRule{"schedule", [](L l, M) { return l.schedule == Schedule::zero_bubble && l.vpp > 1; },
               [](L l, M) {
                 return fmt::format("layout: the zero-bubble schedule runs one chunk a stage, but vpp={}", l.vpp);
               }},
    LayoutRule{"schedule", [](L l, M) { return l.schedule == Schedule::zero_bubble && l.overlaps(Overlap::experts); },
               [](L, M) {
                 return std::string(
                     "layout: the zero-bubble schedule runs no forward beside a backward, so it cannot overlap expert "
                     "communication; leave 'experts' out of overlap or use the interleaved or dualpipe-v schedule");
               }},
    LayoutRule{"heads", [](L l, M m) { return has_attention(m) && uneven(m.attention.heads, l.tp); },
               [](L l, M m) {
                 return fmt::format("layout: {} attention heads do not divide over tp={}; use tp={}", m.attention.heads,
                                    l.tp, near_divisors(m.attention.heads, l.tp));
               }},
    LayoutRule{
        "heads",
        [](L l, M m) {
          return has_attention(m) && !m.attention.latent() && neither_divides(m.attention.kv_heads, l.tp);
        },
        [](L l, M m) {
          return fmt::format(
              "layout: {} key/value heads can neither be divided over tp={} nor be copied evenly to it; use tp={}",
              m.attention.kv_heads, l.tp, near_divisors(m.attention.kv_heads, l.tp));
        }},
    LayoutRule{
        "heads",
        [](L l, M m) { return m.mamba && (uneven(m.mamba->heads, l.tp) || neither_divides(m.mamba->groups, l.tp)); },
        [](L l, M m) {
          return fmt::format("layout: {} Mamba-2 heads in {} groups do not divide over tp={}; use tp={}",
                             m.mamba->heads, m.mamba->groups, l.tp, near_divisors(m.mamba->groups, l.tp));
        }},
    LayoutRule{"feed-forward width", [](L l, M m) { return has_dense(m) && uneven(m.dense_width, l.tp); },
               [](L l, M m) {
                 return fmt::format("layout: the feed-forward width {} does not divide over tp={}; use tp={}",
                                    m.dense_width, l.tp, near_divisors(m.dense_width, l.tp));
               }},
    LayoutRule{
        "experts",
        [](L l, M m) { return !m.experts && (l.ep > 1 || l.etp > 1 || l.tp_extends_ep || l.expert_placement); },
        [](L l, M m) {
          return fmt::format(
              "layout: {} has no experts, but ep={}, etp={}, tp_extends_ep={}, expert_placement={}; leave them out",
              m.name, l.ep, l.etp, l.tp_extends_ep, l.expert_placement);
        }},
    LayoutRule{"experts", [](L l, M) { return l.tp_extends_ep && l.etp > 1; },
               [](L l, M) {
                 return fmt::format(
                     "layout: tp_extends_ep gives each tensor-parallel rank whole experts, so etp must be 1, got {}",
                     l.etp);
               }},
    LayoutRule{"experts", [](L l, M m) { return m.experts && uneven(m.experts->routed, expert_ranks(l)); },
               [](L l, M m) {
                 return fmt::format("layout: {} experts do not divide over {} ranks ({}); use {} expert ranks",
                                    m.experts->routed, expert_ranks(l), ranks_text(l),
                                    near_divisors(m.experts->routed, expert_ranks(l)));
               }},
    LayoutRule{"experts", [](L l, M m) { return m.experts && uneven(m.experts->width, l.etp); },
               [](L l, M m) {
                 return fmt::format("layout: the expert width {} does not divide over etp={}; use etp={}",
                                    m.experts->width, l.etp, near_divisors(m.experts->width, l.etp));
               }},
    LayoutRule{"shared experts", [](L l, M m) { return m.experts && uneven(m.experts->shared_width, l.tp); },
               [](L l, M m) {
                 return fmt::format("layout: the shared experts' width {} does not divide over tp={}; use tp={}",
                                    m.experts->shared_width, l.tp, near_divisors(m.experts->shared_width, l.tp));
               }},
    LayoutRule{"expert groups",
               [](L l, M) {
                 return uneven(l.tp * l.cp * l.dp, saturating_product({expert_ranks(l), l.etp}));
               },
               [](L l, M) {
                 return fmt::format(
                     "layout: the tp·cp·dp = {}·{}·{} = {} devices of a stage do not divide into expert groups of "
                     "{}{}; change ep or the devices",
                     l.tp, l.cp, l.dp, l.tp * l.cp * l.dp, ranks_text(l),
                     l.etp > 1 ? fmt::format(" times etp = {}", l.etp) : std::string());
               }},
    LayoutRule{"batch",
               [](L l, M) {
                 return uneven(l.gbs, saturating_product({l.dp, l.mbs}));
               },
               [](L l, M) {
                 const std::int64_t one = l.dp * l.mbs, below = l.gbs / one * one;
                 return fmt::format("layout: gbs={} does not divide over dp·mbs = {}·{} = {}; use gbs={}", l.gbs, l.dp,
                                    l.mbs, one,
                                    below > 0 ? fmt::format("{} or {}", below, below + one) : fmt::format("{}", one));
               }},
    LayoutRule{"batch", [](L l, M) { return runs_interleaved(l) && uneven(micro_batches(l), l.pp); },
               [](L l, M) {
                 const std::int64_t below = micro_batches(l) / l.pp * l.pp;
                 return fmt::format(
                     "layout: the interleaved schedule needs micro-batches in multiples of pp={}, but gbs/(dp·mbs) = "
                     "{}/({}·{}) = {}; use gbs={}",
                     l.pp, l.gbs, l.dp, l.mbs, micro_batches(l), (below + l.pp) * l.dp * l.mbs);
               }},
    LayoutRule{
        "batch", [](L l, M) { return l.schedule == Schedule::dualpipe_v && micro_batches(l) < 2 * l.pp; },
        [](L l, M) {
          return fmt::format(
              "layout: dualpipe-v needs at least 2·pp = {} micro-batches, but gbs/(dp·mbs) = {}/({}·{}) = {}; use "
              "gbs={} or more",
              2 * l.pp, l.gbs, l.dp, l.mbs, micro_batches(l), 2 * l.pp * l.dp * l.mbs);
        }},
    LayoutRule{
        "sequence",
        [](L l, M) {
          return l.cp > 1 && uneven(l.seq, saturating_product({2, l.cp}));
        },
        [](L l, M) {
          return fmt::format(
              "layout: seq={} does not divide into 2·cp = 2·{} parts (a rank takes one from each end, so that causal "
              "attention is balanced)",
              l.seq, l.cp);
        }},
    LayoutRule{
        "sequence",
        [](L l, M) {
          return l.sp && uneven(l.seq, saturating_product({l.cp, l.tp}));
        },
        [](L l, M) {
          return fmt::format(
              "layout: seq={} does not divide over cp·tp = {}·{} for sequence parallelism; change seq or set sp=false",
              l.seq, l.cp, l.tp);
        }},
    LayoutRule{"sequence",
               [](L l, M m) { return m.learned_positions && m.max_positions > 0 && l.seq > m.max_positions; },
               [](L l, M m) {
                 return fmt::format("layout: seq={} is longer than the {} learned positions of {}", l.seq,
                                    m.max_positions, m.name);
               }},
    LayoutRule{"swap", [](L l, M) { return swaps_recomputed(l); },
               [](L l, M) {
                 const auto both =
                     std::find_if(l.swap.begin(), l.swap.end(), [&l](Part part) { return l.recomputes(part); });
                 return fmt::format("layout: '{}' is both swapped and recomputed; choose one", enum_name(*both));
               }},
};

}  // namespace

std::span<const LayoutRule> layout_rules() { return rules; }

const LayoutRule* broken_rule(const Layout& layout, const Model& model) {
  const auto broken =
      std::find_if(rules.begin(), rules.end(), [&](const LayoutRule& rule) { return rule.broken(layout, model); });
  return broken == rules.end() ? nullptr : &*broken;
}

void check(const Layout& layout, const Model& model) {
  const Layout full = complete(layout);
  if (const LayoutRule* rule = broken_rule(full, model)) throw Error(rule->sentence(full, model));
}

}  // namespace filigree::spec
