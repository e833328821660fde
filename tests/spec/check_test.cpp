#include "spec/check.h"

#include <set>

#include <gtest/gtest.h>

#include "spec/hf_config.h"
#include "spec/layout_text.h"
#include "spec/resolve.h"
#include "support/expect_error.h"

namespace filigree::spec {
namespace {

/// What is wrong with an inline layout for a model.
std::string problem(const std::string& layout, const Model& model) {
  try {
    check(parse_layout(layout), model);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

const Model& pangu() {
  static const Model model = load_language_model("pangu-ultra-moe");
  return model;
}

/// Small and round: 12 layers, 8 heads, 2 key/value heads, widths 96 and 24, 16 experts.
Model small() {
  Model model;
  model.name = "small";
  model.layers = 12;
  model.hidden = 64;
  model.vocabulary = 100;
  model.attention = {.heads = 8, .kv_heads = 2, .head_dim = 8, .v_head_dim = 8};
  model.dense_width = 96;
  model.dense_prefix = 1;
  model.experts = Experts{.routed = 16, .top_k = 2, .width = 24, .shared_width = 20};
  return model;
}

TEST(Check, ThePaperLayoutCanExist) {
  EXPECT_EQ(problem("tp=8,pp=16,vpp=2,ep=4,mbs=2,tp_extends_ep=true,noop_layers=2,devices=6144", pangu()), "");
  EXPECT_EQ(problem("", small()), "");
  EXPECT_EQ(problem("tp=2,pp=3,vpp=2,cp=2,ep=4,devices=48,gbs=48", small()), "");
}

TEST(Check, Devices) {
  EXPECT_EQ(problem("tp=8,pp=16,devices=6000", pangu()),
            "layout: 6000 devices do not divide into replicas of tp·cp·pp = 8·1·16 = 128; use 5888 or 6016");
  EXPECT_EQ(problem("devices=33554432", small()),
            "layout: is beyond all bounds (33554432 devices, 137438953472 tokens a step); at most 16777216 devices and "
            "281474976710656 tokens are planned for");
  // A layout that was not completed is found out too.
  Layout layout = complete(parse_layout("tp=2"), 8);
  layout.dp = 2;
  const Model model = small();
  const LayoutRule* rule = broken_rule(layout, model);
  ASSERT_NE(rule, nullptr);
  EXPECT_EQ(rule->sentence(layout, model), "layout: tp·cp·pp·dp = 2·1·1·2 = 4, but there are 8 devices");
}

TEST(Check, HugeNumbersDoNotOverflow) {
  const std::string others = ",tp_extends_ep=true,cp=3";
  for (const std::string field :
       {"tp", "pp", "vpp", "ep", "etp", "dp", "devices", "mbs", "gbs", "seq", "noop_layers"}) {
    for (const std::string value : {"9223372036854775807", "4611686018427387904"}) {
      EXPECT_NE(problem(field + "=" + value + others, small()), "") << field << " " << value;
    }
    // These may pass, but must not overflow on the way.
    for (const std::string value : {"3037000500", "16777216"}) problem(field + "=" + value + others, small());
  }
}

TEST(Check, Pipeline) {
  EXPECT_EQ(problem("pp=8,vpp=2", small()),
            "layout: pp·vpp = 8·2 = 16 chunks need as many layers, but small has 12 (12 + 0 multi-token prediction + 0 "
            "empty); lower pp or vpp");
  EXPECT_EQ(problem("pp=8,vpp=2,noop_layers=4,gbs=8", small()), "");
  EXPECT_EQ(problem("pp=64,tp_extends_ep=true", pangu()),
            "layout: pp·vpp = 64·1 = 64 chunks need as many layers, but pangu-ultra-moe has 62 (61 + 1 multi-token "
            "prediction + 0 empty); lower pp or vpp");
  EXPECT_EQ(problem("pp=3,stages=6+6", small()), "layout: stages names 2 chunks, but pp·vpp = 3·1 = 3");
  EXPECT_EQ(problem("pp=2,stages=6+7", small()),
            "layout: the stages add up to 13 layers, but small has 12 (12 + 0 multi-token prediction + 0 empty)");
  EXPECT_EQ(problem("pp=2,stages=6+7,noop_layers=1", small()), "");
}

TEST(Check, Schedule) {
  EXPECT_EQ(problem("vpp=2", small()), "layout: vpp=2 needs more than one pipeline stage, but pp=1");
  EXPECT_EQ(problem("pp=2,schedule=interleaved", small()),
            "layout: the interleaved schedule needs vpp of 2 or more, but vpp=1");
  EXPECT_EQ(
      problem("pp=2,vpp=3,schedule=dualpipe-v", small()),
      "layout: dualpipe-v runs two chunks on each of several stages: it needs vpp=2 and pp of 2 or more, but vpp=3 "
      "and pp=2");
  EXPECT_EQ(problem("pp=2,vpp=2,schedule=zero-bubble", small()),
            "layout: the zero-bubble schedule runs one chunk a stage, but vpp=2");
  EXPECT_EQ(problem("pp=2,schedule=zero-bubble,overlap=experts", small()),
            "layout: the zero-bubble schedule runs no forward beside a backward, so it cannot overlap expert "
            "communication; leave 'experts' out of overlap or use the interleaved or dualpipe-v schedule");
}

TEST(Check, TensorParallel) {
  EXPECT_EQ(problem("tp=3", small()), "layout: 8 attention heads do not divide over tp=3; use tp=2 or 4");
  Model model = small();
  model.attention.heads = 12;
  model.attention.kv_heads = 6;
  EXPECT_EQ(problem("tp=4", model),
            "layout: 6 key/value heads can neither be divided over tp=4 nor be copied evenly to it; use tp=3 or 6");
  EXPECT_EQ(problem("tp=8", small()), "layout: the shared experts' width 20 does not divide over tp=8; use tp=5 or 10");
  model = small();
  model.dense_width = 98;
  EXPECT_EQ(problem("tp=4", model), "layout: the feed-forward width 98 does not divide over tp=4; use tp=2 or 7");
  // Without dense layers their width does not matter.
  model.dense_prefix = 0;
  EXPECT_EQ(problem("tp=4", model), "");
}

TEST(Check, Mamba) {
  const Model nemotron = load_language_model("nemotron-3-nano");
  EXPECT_EQ(problem("tp=8,ep=4,dp=4", nemotron), "");
  EXPECT_EQ(problem("tp=32,ep=4,dp=4", nemotron), "");
  Model model = nemotron;
  model.attention.heads = model.attention.kv_heads = 12;
  model.mamba->heads = 64;
  EXPECT_EQ(problem("tp=12", model), "layout: 64 Mamba-2 heads in 8 groups do not divide over tp=12; use tp=8");
}

TEST(Check, Experts) {
  Model dense = small();
  dense.experts.reset();
  EXPECT_EQ(
      problem("ep=2,dp=2", dense),
      "layout: small has no experts, but ep=2, etp=1, tp_extends_ep=false, expert_placement=false; leave them out");
  EXPECT_EQ(problem("tp=2,dp=2,ep=2,etp=2,tp_extends_ep=true", small()),
            "layout: tp_extends_ep gives each tensor-parallel rank whole experts, so etp must be 1, got 2");
  EXPECT_EQ(problem("ep=6,dp=6", small()),
            "layout: 16 experts do not divide over 6 ranks (ep = 6); use 4 or 8 expert ranks");
  EXPECT_EQ(problem("tp=4,ep=6,dp=6,tp_extends_ep=true", small()),
            "layout: 16 experts do not divide over 24 ranks (tp·ep = 4·6 = 24); use 16 expert ranks");
  EXPECT_EQ(problem("etp=5,dp=5", small()), "layout: the expert width 24 does not divide over etp=5; use etp=4 or 6");
  EXPECT_EQ(
      problem("tp=2,cp=2,dp=3,ep=8", small()),
      "layout: the tp·cp·dp = 2·2·3 = 12 devices of a stage do not divide into expert groups of ep = 8; change ep or "
      "the devices");
  EXPECT_EQ(
      problem("tp=2,dp=2,ep=4,etp=2", small()),
      "layout: the tp·cp·dp = 2·1·2 = 4 devices of a stage do not divide into expert groups of ep = 4 times etp = 2; "
      "change ep or the devices");
}

TEST(Check, Batch) {
  EXPECT_EQ(problem("dp=4,mbs=2,gbs=20", small()),
            "layout: gbs=20 does not divide over dp·mbs = 4·2 = 8; use gbs=16 or 24");
  EXPECT_EQ(problem("dp=4,mbs=2,gbs=4", small()), "layout: gbs=4 does not divide over dp·mbs = 4·2 = 8; use gbs=8");
  EXPECT_EQ(
      problem("pp=4,vpp=3,dp=2,gbs=12", small()),
      "layout: the interleaved schedule needs micro-batches in multiples of pp=4, but gbs/(dp·mbs) = 12/(2·1) = 6; use "
      "gbs=16");
  EXPECT_EQ(
      problem("pp=3,vpp=2,schedule=dualpipe-v,gbs=4", small()),
      "layout: dualpipe-v needs at least 2·pp = 6 micro-batches, but gbs/(dp·mbs) = 4/(1·1) = 4; use gbs=6 or more");
  EXPECT_EQ(problem("pp=3,vpp=2,schedule=dualpipe-v", small()), "");
}

TEST(Check, Sequence) {
  EXPECT_EQ(problem("cp=4,seq=1004", small()),
            "layout: seq=1004 does not divide into 2·cp = 2·4 parts (a rank takes one from each end, so that causal "
            "attention "
            "is balanced)");
  EXPECT_EQ(problem("tp=4,seq=1022", small()),
            "layout: seq=1022 does not divide over cp·tp = 1·4 for sequence parallelism; change seq or set sp=false");
  EXPECT_EQ(problem("tp=4,seq=1022,sp=false", small()), "");
  EXPECT_EQ(problem("seq=4096", load_language_model("gpt3-175b")),
            "layout: seq=4096 is longer than the 2048 learned positions of gpt3-175b");
}

TEST(Check, Swap) {
  EXPECT_EQ(problem("swap=activation+norms,recompute=norms", small()),
            "layout: 'norms' is both swapped and recomputed; choose one");
  EXPECT_EQ(problem("swap=activation,recompute=norms", small()), "");
}

TEST(Check, EveryRuleHasAReason) {
  std::set<std::string_view> names;
  for (const LayoutRule& rule : layout_rules()) names.insert(rule.name);
  EXPECT_EQ(names, (std::set<std::string_view>{"size", "devices", "pipeline over layers", "stages", "schedule", "heads",
                                               "feed-forward width", "experts", "shared experts", "expert groups",
                                               "batch", "sequence", "swap"}));
}

}  // namespace
}  // namespace filigree::spec
