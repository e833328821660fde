#include "plan/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "base/cancel.h"
#include "base/file.h"
#include "base/json.h"
#include "plan/bound.h"
#include "plan/candidates.h"
#include "plan/ranking.h"
#include "spec/check.h"
#include "spec/hf_config.h"
#include "spec/layout_text.h"
#include "spec/resolve.h"
#include "support/expect_error.h"

namespace filigree::plan {
namespace {

constexpr double kGib = 1024.0 * 1024 * 1024;

SearchRequest request(const std::string& model, std::int64_t devices, const std::string& base, const std::string& space,
                      const std::string& cluster = "h100") {
  SearchRequest out;
  out.model = spec::load_language_model(model);
  out.cluster = load_config<spec::Cluster>(find_recipe("clusters", cluster));
  out.devices = devices;
  out.base = parse_base(base);
  out.space = parse_space(space);
  out.threads = 2;
  return out;
}

/// Small enough to be gone through one by one, and with something of every kind: rules broken, repeats, what does not fit.
SearchRequest small_request() {
  return request("qwen3-30b-a3b", 16, "seq=4096,gbs=64,overlap=gradients+parameters",
                 "tp=1+2,pp=1+2+4,vpp=1+2,cp=1,ep=1+4+8,etp=1+2,mbs=1+3,recompute=none+fine+experts,swap=none+experts,"
                 "dispatcher=all-to-all+hierarchical,zero=1+2,offload_optimizer=false");
}

std::vector<std::string> texts(const SearchResult& result) {
  std::vector<std::string> out;
  for (const FoundLayout& found : result.top) {
    out.push_back(
        fmt::format("{} {} {}", found.estimate.step_s, found.closed_form_s, spec::short_text(found.estimate.layout)));
  }
  return out;
}

std::int64_t sum(const SearchCounts& counts) {
  std::int64_t total = counts.repeated + counts.pruned + counts.estimated;
  for (const auto& [rule, count] : counts.rejected) total += count;
  return total;
}

Candidates candidates_of(const SearchRequest& r) {
  spec::Layout base = r.base.layout;
  base.devices = r.devices;
  const SearchSpace space = complete_space(r.space, {r.model, r.cluster, r.base, r.devices});
  return Candidates(space, base, r.model, r.cluster.tiers.front().devices);
}

/// Every candidate of a space that keeps all rules, one by one.
void for_each_candidate(const SearchRequest& r,
                        const std::function<void(const CandidateId&, const spec::Layout&)>& use) {
  const Candidates all = candidates_of(r);
  CandidateId id;
  for (id.degrees = 0; id.degrees < all.num_degrees(); ++id.degrees) {
    for (id.settings = 0; id.settings < std::ssize(all.settings()); ++id.settings) {
      for (id.pipeline = 0; id.pipeline < std::ssize(all.pipelines()); ++id.pipeline) {
        for (id.state = 0; id.state < std::ssize(all.states()); ++id.state) {
          const spec::Layout layout = all.layout(id);
          if (spec::broken_rule(layout, r.model) == nullptr) use(id, layout);
        }
      }
    }
  }
}

TEST(Search, EveryCombinationIsAccountedFor) {
  SearchRequest r = small_request();
  r.timelines = r.top = 3;
  for (const bool prune : {false, true}) {
    r.prune = prune;
    const SearchCounts counts = search(r).counts;
    EXPECT_EQ(counts.combinations, 2 * 1 * 3 * 2 * 2 * 2 * (3 * 2 * 2) * (3 * 2 * 4 * 3) * 2);
    EXPECT_EQ(sum(counts), counts.combinations);
    EXPECT_GT(counts.repeated, 0);
    EXPECT_GT(counts.unfit, 0);
    EXPECT_GT(counts.rejected.at("batch"), 0);
    EXPECT_GT(counts.rejected.at("swap"), 0);
    EXPECT_EQ(prune, counts.pruned > 0);
  }
}

/// The same best layouts as a loop over all candidates with a fresh estimate each.
TEST(Search, FindsWhatALoopFinds) {
  SearchRequest r = small_request();
  r.timelines = 5, r.top = 5, r.distinct = false;
  const Estimator estimator(r.model, r.cluster);
  std::vector<double> steps;
  std::int64_t tried = 0, unfit = 0;
  for_each_candidate(r, [&](const CandidateId&, const spec::Layout& layout) {
    const Estimate estimate = estimator.estimate(layout, Detail::closed_form);
    ++tried;
    if (estimate.fits)
      steps.push_back(estimate.step_s);
    else
      ++unfit;
  });
  // Repeats are the same run and so the same time: what counts is the set of times.
  const std::set<double> known(steps.begin(), steps.end());
  r.prune = false;
  const SearchResult result = search(r);
  EXPECT_EQ(result.counts.estimated + result.counts.repeated, tried);
  EXPECT_LE(result.counts.unfit, unfit);
  ASSERT_EQ(result.top.size(), 5U);
  double best = std::numeric_limits<double>::infinity();
  for (const FoundLayout& found : result.top) {
    best = std::min(best, found.closed_form_s);
    EXPECT_TRUE(known.contains(found.closed_form_s)) << found.closed_form_s;
  }
  EXPECT_EQ(best, *known.begin());
}

/// What the bound leaves out is not among the best: with an even and an uneven router, dense and sparse models.
TEST(Search, PruningChangesNothing) {
  std::vector<SearchRequest> requests{
      small_request(), request("llama3-8b", 64, "seq=8192,gbs=256,overlap=gradients+pipeline+tensor", ""),
      request("pangu-ultra-moe", 6144, "seq=8192,gbs=6144,overlap=gradients+experts+pipeline",
              "tp=4+8,pp=8+16,vpp=1+2,cp=1+2,ep=32+64,etp=1,tp_extends_ep=false,mbs=1+2,offload_optimizer=false",
              "ascend-910b")};
  requests[0].load.kind = spec::LoadKind::zipf;
  requests[0].load.parameter = 0.5;
  requests[0].load.samples = 8;
  for (SearchRequest& r : requests) {
    r.timelines = 20;
    r.prune = true;
    const SearchResult with = search(r);
    r.prune = false;
    const SearchResult without = search(r);
    EXPECT_GT(with.counts.pruned, 0) << r.model.name;
    EXPECT_EQ(without.counts.pruned, 0);
    EXPECT_EQ(texts(with), texts(without)) << r.model.name;
    EXPECT_FALSE(with.top.empty());
  }
}

TEST(Search, BoundIsBelowEveryClosedForm) {
  SearchRequest r = small_request();
  const Estimator estimator(r.model, r.cluster);
  const Network network = resolve_network(r.cluster);
  const LayerRuns runs = layer_runs(r.model);
  EstimateReuse reuse;
  double nearest = 0;
  for_each_candidate(r, [&](const CandidateId&, const spec::Layout& layout) {
    const Rates rates = resolve_rates(r.cluster.accelerator, layout);
    const double bound = step_bound({r.model, layout, rates, network, 1, 1, r.cluster.host_gb_s * 1e9}, runs, 0);
    const double step = estimator.estimate(layout, Detail::closed_form, reuse).step_s;
    ASSERT_LE(bound, step * (1 + 1e-9)) << spec::short_text(layout);
    nearest = std::max(nearest, bound / step);
  });
  // And not a bound that says nothing.
  EXPECT_GT(nearest, 0.5);
}

TEST(Search, ThreadsDoNotMatter) {
  SearchRequest r = small_request();
  r.timelines = r.top = 3;
  r.threads = 1;
  const SearchResult one = search(r);
  for (const int threads : {2, 5}) {
    r.threads = threads;
    const SearchResult more = search(r);
    EXPECT_EQ(texts(more), texts(one));
    EXPECT_GT(one.counts.pruned, 0);
    EXPECT_EQ(more.counts.pruned, one.counts.pruned);
    EXPECT_EQ(more.counts.estimated, one.counts.estimated);
    EXPECT_EQ(more.counts.unfit, one.counts.unfit);
  }
}

TEST(Search, RankedByTimelineAndDistinct) {
  const SearchResult result = search(small_request());
  ASSERT_EQ(result.top.size(), 10U);
  std::set<std::string> frames;
  for (std::size_t i = 0; i < result.top.size(); ++i) {
    const Estimate& e = result.top[i].estimate;
    EXPECT_TRUE(e.fits);
    if (i > 0) {
      EXPECT_GE(e.step_s, result.top[i - 1].estimate.step_s);
    }
    const spec::Layout& l = e.layout;
    frames.insert(fmt::format("{} {} {} {} {} {} {} {}", l.tp, l.pp, l.vpp, l.ep, l.etp, l.mbs, l.tp_extends_ep,
                              enum_name(l.schedule)));
  }
  EXPECT_EQ(frames.size(), 10U);
  for (std::size_t i = 1; i < result.front.size(); ++i) {
    EXPECT_GT(result.front[i].peak_memory, result.front[i - 1].peak_memory);
    EXPECT_LT(result.front[i].step_s, result.front[i - 1].step_s);
  }
}

TEST(Search, SaysWhatComesNearestWhereNothingFits) {
  SearchRequest r = small_request();
  r.cluster.accelerator.memory_gib = 4;
  const SearchResult result = search(r);
  EXPECT_TRUE(result.top.empty());
  ASSERT_TRUE(result.nearest.has_value());
  double least = std::numeric_limits<double>::infinity();
  const Estimator estimator(r.model, r.cluster);
  for_each_candidate(r, [&](const CandidateId&, const spec::Layout& layout) {
    least = std::min(least, estimator.estimate(layout, Detail::closed_form).peak_memory);
  });
  EXPECT_EQ(estimator.estimate(result.nearest->layout, Detail::closed_form).peak_memory, least);
  EXPECT_GT(result.nearest->peak_memory, 4 * kGib);
}

TEST(Search, ReuseDoesNotShow) {
  const SearchRequest r = small_request();
  const Estimator estimator(r.model, r.cluster);
  std::vector<spec::Layout> layouts;
  for_each_candidate(r, [&](const CandidateId&, const spec::Layout& layout) { layouts.push_back(layout); });
  std::mt19937_64 generator(1);
  std::shuffle(layouts.begin(), layouts.end(), generator);
  layouts.resize(std::min<std::size_t>(layouts.size(), 500));
  EstimateReuse reuse;
  for (const spec::Layout& layout : layouts) {
    const Estimate fresh = estimator.estimate(layout, Detail::closed_form);
    const Estimate reused = estimator.estimate(layout, Detail::closed_form, reuse);
    ASSERT_EQ(fresh.step_s, reused.step_s);
    ASSERT_EQ(fresh.peak_memory, reused.peak_memory);
    ASSERT_EQ(fresh.mfu, reused.mfu);
  }
}

TEST(Search, StopsWhenCancelled) {
  request_cancel();
  const SearchResult result = search(small_request());
  reset_cancel();
  EXPECT_TRUE(result.cancelled);
  EXPECT_TRUE(result.top.empty());
}

TEST(Search, CostIsPriceOverRate) {
  Estimate estimate;
  estimate.tokens_per_s_per_device = 1000;
  spec::Cluster cluster;
  cluster.accelerator.price_per_hour = 3.6;
  // 10^12 tokens take 10^9 device seconds at 0.001 dollars each.
  EXPECT_DOUBLE_EQ(dollars_per_tera_token(estimate, cluster), 1e6);
  cluster.name = "mine";
  cluster.accelerator.price_per_hour = 0;
  EXPECT_ERROR(dollars_per_tera_token(estimate, cluster),
               "cluster mine: the price of a device is not known, so a cost cannot be computed; set "
               "accelerator.price_per_hour");
}

TEST(Search, DefaultBatchIsAMultipleOfTheDevices) {
  EXPECT_EQ(default_batch(8, 4096), 1024);     // 4 Mi tokens
  EXPECT_EQ(default_batch(6144, 8192), 6144);  // one sequence a device at least
  EXPECT_EQ(default_batch(48, 4096), 1056);
}

TEST(Search, BadRequests) {
  SearchRequest r = small_request();
  r.devices = 0;
  EXPECT_ERROR(search(r), "search: the number of devices must be at least 1, got 0");
  r = small_request();
  r.base.layout.devices = 8;
  EXPECT_ERROR(search(r), "search: the layout fixes devices=8, but 16 devices are asked for; give one of the two");
  r = small_request();
  r.base = parse_base("seq=4096,gbs=64,tp=2");
  EXPECT_ERROR(search(r), "search space: 'tp' is listed, but the layout fixes it; leave one of the two out");
  r = small_request();
  r.top = 0;
  EXPECT_ERROR(search(r), "search: the number of layouts to show must be at least 1, got 0");
  r = small_request();
  r.objective = Objective::cost;
  r.cluster.accelerator.price_per_hour = 0;
  EXPECT_THROW(search(r), Error);
}

TEST(SearchSpace, ReadsListsAndSets) {
  const SearchSpace space = parse_space("tp=2+4,recompute=none+norms/experts,schedule=1f1b+dualpipe-v,split=balanced");
  EXPECT_EQ(space.tp, (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(space.recompute, (std::vector<std::string>{"none", "norms/experts"}));
  EXPECT_EQ(space.split, std::vector<Split>{Split::balanced});
  EXPECT_EQ(parse_parts("fine"),
            (std::vector<spec::Part>{spec::Part::norms, spec::Part::qkv_up, spec::Part::activation}));
  EXPECT_TRUE(parse_parts("none").empty());
  EXPECT_ERROR(parse_parts("norm"),
               "search space: 'norm' is not a part of a layer; did you mean 'norms'? (parts: none, fine, norms, "
               "attention, qkv-up, activation, permute, experts, layer)");
  EXPECT_ERROR(parse_space("fast"), "search space 'fast' is neither a file nor of the form tp=4+8,pp=8+16,…");
}

TEST(SearchSpace, FixedSettingsHaveOneValue) {
  const SearchRequest r = request("llama3-8b", 64, "tp=4,recompute=layer,stages=16+16", "mbs=1+2+1");
  const SearchSpace space = complete_space(r.space, {r.model, r.cluster, r.base, 64});
  EXPECT_EQ(space.tp, std::vector<std::int64_t>{4});
  EXPECT_EQ(space.recompute, std::vector<std::string>{"layer"});
  EXPECT_EQ(space.split, std::vector<Split>{Split::even});
  EXPECT_EQ(space.mbs, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(space.ep, std::vector<std::int64_t>{1});
  EXPECT_EQ(space.pp, (std::vector<std::int64_t>{1, 2, 4, 8, 16, 32}));
}

TEST(Split, PanguOnThirtyTwoChunks) {
  const spec::Model model = spec::load_language_model("pangu-ultra-moe");
  spec::Layout layout;
  layout.pp = 16, layout.vpp = 2, layout.schedule = spec::Schedule::interleaved;
  EXPECT_FALSE(choose_split(Split::even, layout, model).has_value());
  const auto noop = choose_split(Split::noop, layout, model);
  ASSERT_TRUE(noop.has_value());
  EXPECT_EQ(noop->noop_layers, 2);  // 61 + 1 + 2 = 64
  const auto balanced = choose_split(Split::balanced, layout, model);
  ASSERT_TRUE(balanced.has_value());
  ASSERT_EQ(balanced->stages.size(), 32U);
  EXPECT_EQ(std::accumulate(balanced->stages.begin(), balanced->stages.end(), std::int64_t{0}), 62);
  // The last chunk also has the head, and multi-token prediction the head again.
  EXPECT_LT(balanced->stages.back(), 2);
  layout.pp = 31, layout.vpp = 2;
  EXPECT_FALSE(choose_split(Split::noop, layout, model).has_value());
}

TEST(TopList, OrderOfOffersDoesNotMatter) {
  std::mt19937_64 generator(7);
  for (const bool distinct : {false, true}) {
    std::vector<Ranked> all;
    for (std::int64_t i = 0; i < 300; ++i) {
      Ranked candidate;
      candidate.step_s = static_cast<double>(generator() % 40);
      candidate.id.degrees = i;
      candidate.frame = static_cast<std::int64_t>(generator() % 60);
      all.push_back(candidate);
    }
    const auto ids = [](const TopList& list) {
      std::vector<std::int64_t> out;
      for (const Ranked& candidate : list.ranked()) out.push_back(candidate.id.degrees);
      return out;
    };
    TopList first(12, distinct);
    for (const Ranked& candidate : all) first.offer(candidate);
    for (int round = 0; round < 20; ++round) {
      std::shuffle(all.begin(), all.end(), generator);
      TopList left(12, distinct), right(12, distinct);
      for (std::size_t i = 0; i < all.size(); ++i) (i % 3 == 0 ? left : right).offer(all[i]);
      left.merge(right);
      ASSERT_EQ(ids(left), ids(first));
    }
  }
}

}  // namespace
}  // namespace filigree::plan
