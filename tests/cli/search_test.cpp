#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "program.h"

namespace filigree::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Words = std::vector<std::string>;

/// A search that takes a moment: 16 devices and few values of everything that costs time.
Words search(const Words& more = {}, const std::string& space = "tp=1+2,pp=1+2+4,vpp=1+2,ep=1+8,etp=1,mbs=1+2,zero=1") {
  Words words{"plan", "search", "--model", "qwen3-30b-a3b", "--cluster", "h100", "--devices", "16", "--space", space};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// A dense model on one node.
Words dense(const std::string& model, const Words& more = {}) {
  Words words{"plan", "search", "--model", model, "--cluster", "h100", "--devices", "8"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(PlanSearch, ForPeople) {
  const Ran ran = run(search({"--top", "3"}));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  EXPECT_THAT(ran.out, AllOf(HasSubstr("qwen3-30b-a3b on 16 × H100"), HasSubstr("combinations, of which"),
                             HasSubstr("estimated in"), HasSubstr("run as timelines"), HasSubstr("do not fit")));
  // What nobody said is named.
  EXPECT_THAT(ran.out, AllOf(HasSubstr("Assumed"), HasSubstr("4,096 tokens (--seq)"), HasSubstr("(--gbs)"),
                             HasSubstr("overlap=gradients+parameters+pipeline+experts")));
}

TEST(PlanSearch, ForScripts) {
  const Json json = run_json(search({"--top", "4", "--seq", "4096", "--gbs", "1024", "--json"}));
  ASSERT_EQ(json["top"].size(), 4);
  double last = 0;
  for (const Json& found : json["top"]) {
    EXPECT_GE(found["step_ms"].get<double>(), last);
    last = found["step_ms"].get<double>();
    for (const char* share : {"mfu", "bubble_fraction", "exposed_comm_fraction"}) {
      EXPECT_GE(found[share].get<double>(), 0) << share;
      EXPECT_LT(found[share].get<double>(), 1) << share;
    }
    EXPECT_GT(found["tokens_per_s_per_device"].get<double>(), 0);
    EXPECT_GT(found["closed_form_ms"].get<double>(), 0);
    EXPECT_TRUE(found["fits"].get<bool>());
    for (const Json& gib : found["peak_memory_gib"]) EXPECT_LT(gib.get<double>(), 80);
    EXPECT_EQ(found["layout"]["devices"], 16);
  }
  const Json& counts = json["counts"];
  auto sum = counts["repeated"].get<std::int64_t>() + counts["pruned"].get<std::int64_t>() +
             counts["estimated"].get<std::int64_t>();
  for (const auto& [rule, count] : counts["rejected"].items()) sum += count.get<std::int64_t>();
  EXPECT_EQ(sum, counts["combinations"].get<std::int64_t>());
  EXPECT_GT(json["seconds"].get<double>(), 0);
  EXPECT_GT(json["estimates_per_s"].get<double>(), 0);
  EXPECT_EQ(json["space"]["tp"], Json::array({1, 2}));
  EXPECT_EQ(json["gbs"], 1024);
  EXPECT_FALSE(json["front"].empty());
}

/// The printed layout, put to `plan estimate`, costs what the search says.
TEST(PlanSearch, AgreesWithEstimate) {
  const Json best = run_json(search({"--top", "1", "--json"}))["top"][0];
  const Json again = run_json({"plan", "estimate", "--model", "qwen3-30b-a3b", "--cluster", "h100", "--layout",
                               best["layout_text"].get<std::string>(), "--json"});
  EXPECT_DOUBLE_EQ(again["step_ms"].get<double>(), best["step_ms"].get<double>());
  EXPECT_EQ(again["peak_memory_gib"], best["peak_memory_gib"]);
}

TEST(PlanSearch, ThreadsDoNotMatter) {
  const Json one = run_json(search({"--json", "--threads", "1"})), two = run_json(search({"--json", "--threads", "2"}));
  EXPECT_EQ(one["top"], two["top"]);
  EXPECT_EQ(one["counts"], two["counts"]);
}

TEST(PlanSearch, KeepsWhatTheLayoutFixes) {
  const Json json = run_json(dense("llama3-8b", {"--layout", "tp=2,gbs=64,seq=8192,overlap=gradients", "--json"}));
  EXPECT_TRUE(json["assumed"].empty());
  for (const Json& found : json["top"]) {
    EXPECT_EQ(found["layout"]["tp"], 2);
    EXPECT_EQ(found["layout"]["gbs"], 64);
    EXPECT_EQ(found["layout"]["seq"], 8192);
    EXPECT_EQ(found["layout"]["overlap"], Json::array({"gradients"}));
  }
}

TEST(PlanSearch, ZeroBubbleAloneHidesBehindTheSharedExpert) {
  const Json json =
      run_json(search({"--json"}, "tp=1,pp=4,vpp=1,ep=4,etp=1,mbs=1,schedule=zero-bubble,zero=1,split=even"));
  ASSERT_FALSE(json["top"].empty());
  EXPECT_EQ(json["top"][0]["layout"]["schedule"], "zero-bubble");
}

TEST(PlanSearch, ReadsASpaceFileAndDrawsThePareto) {
  const Folder folder;
  const std::string space = folder.write("space.json", R"({"tp": [1, 2], "pp": [1, 2], "schedule": ["1f1b"]})");
  const Ran ran =
      run(dense("llama3-8b", {"--space", space, "--plot", folder.path("p.png"), "--output", folder.path("r.json")}));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_TRUE(read_file(folder.path("p.png")).starts_with("\x89PNG"));
  EXPECT_EQ(load_json(folder.path("r.json"))["space"]["schedule"], Json::array({"1f1b"}));
}

TEST(PlanSearch, Cost) {
  const Ran ran = run(dense("llama3-8b", {"--objective", "cost", "--space", "tp=1,pp=1"}));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("for 10^12 tokens"));
  const Ran unknown = run(
      {"plan", "search", "--model", "llama3-8b", "--cluster", "ascend-910b", "--devices", "8", "--objective", "cost"});
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("set accelerator.price_per_hour"));
}

TEST(PlanSearch, SaysWhatComesNearest) {
  const Ran ran = run(dense("llama3-405b"));
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("no layout of llama3-405b on 8 devices fits in memory; the nearest, tp=8"),
                             HasSubstr("too much")));
  const Ran scripts = run(dense("llama3-405b", {"--json"}));
  EXPECT_EQ(scripts.code, 1);
  const Json json = parse_json(scripts.out, "output");
  EXPECT_TRUE(json["top"].empty());
  EXPECT_EQ(json["nearest"]["fits"], false);
}

struct Wrong {
  Words words;
  int code;
  std::string sentence;
};

TEST(PlanSearch, Refuses) {
  const std::vector<Wrong> all{
      {{"plan", "search", "--cluster", "h100", "--devices", "8"}, 2, "give --model, or --shapes"},
      {{"plan", "search", "--model", "llama3-8b", "--cluster", "h100"}, 2, "--devices is required"},
      {dense("llama3-8b", {"--devices", "0"}), 2, "--devices"},
      {dense("llama3-8b", {"--objective", "fast"}), 2, "--objective cannot be 'fast' (one of: mfu, tokens, cost)"},
      {dense("llama3-8b", {"--top", "0"}), 2, "takes a whole number from 1 to 1,000, not '0'"},
      {dense("llama3-8b", {"--space", "tpp=1"}), 2, "unknown key 'tpp'; did you mean 'tp'?"},
      {dense("llama3-8b", {"--layout", "tpp=1"}), 2, "did you mean 'tp'?"},
      {dense("llama3-8b", {"--layout", "tp=2", "--space", "tp=1+2"}), 1, "'tp' is listed, but the layout fixes it"},
      {dense("llama3-8b", {"--layout", "devices=16"}), 1, "the layout fixes devices=16, but 8 devices are asked for"},
      {dense("llama3-8b", {"--layout", "gbs=64", "--gbs", "128"}), 2, "--gbs is 128, but the layout says gbs=64"},
      {dense("llama3-8b", {"--layout", "seq=64", "--seq", "128"}), 2, "--seq is 128, but the layout says seq=64"},
      {dense("llama3-8b", {"--plot", "p.gif"}), 2, "ends in .png or .svg"},
      {dense("llama3-9b"), 2, "did you mean 'llama3-8b'?"},
      {dense("hidream-i1"), 1, "hidream-i1 is a diffusion transformer, and plan search plans language models only"},
      {dense("llama3-8b", {"--space", "tp=3", "--gbs", "64"}), 1, "no layout of llama3-8b on 8 devices"},
  };
  for (const Wrong& wrong : all) {
    const Ran ran = run(wrong.words);
    EXPECT_EQ(ran.code, wrong.code) << wrong.sentence;
    EXPECT_THAT(ran.err, HasSubstr(wrong.sentence));
    EXPECT_EQ(ran.out, "") << wrong.sentence;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
}

}  // namespace
}  // namespace filigree::test
