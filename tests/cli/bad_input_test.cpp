#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "program.h"
#include "support/paths.h"

/// Input that is wrong ends in one sentence, an exit code of 1 (files and what does not go together) or 2 (the command
/// line itself), and no file.
namespace filigree::test {
namespace {

using testing::HasSubstr;

class BadInput : public testing::Test {
 protected:
  /// Expects that `plan estimate` with these options fails so, and writes nothing.
  void expect_failure(std::vector<std::string> options, int code, const std::string& message) {
    std::vector<std::string> words{"plan", "estimate"};
    for (const auto& [name, value] :
         {std::pair{"--model", "deepseekv3"}, {"--cluster", "h100"}, {"--layout", "tp=1"}}) {
      if (std::find(options.begin(), options.end(), name) == options.end()) words.insert(words.end(), {name, value});
    }
    words.insert(words.end(), options.begin(), options.end());
    for (const char* file : {"out.json", "trace.json", "plot.png"}) {
      words.push_back(file[0] == 'o' ? "--output" : file[0] == 't' ? "--trace" : "--plot");
      words.push_back(folder_.path(file));
    }
    test::expect_failure(folder_, words, code, message);
  }

  /// A recipe with some text in it replaced.
  std::string changed(const std::string& recipe, const std::string& old_text, const std::string& new_text) {
    std::string content = read_file(source_dir() + "/recipes/" + recipe);
    const std::size_t at = content.find(old_text);
    EXPECT_NE(at, std::string::npos) << recipe << " has no " << old_text;
    if (at != std::string::npos) content.replace(at, old_text.size(), new_text);
    return folder_.write("changed.json", content);
  }

  Folder folder_;
};

TEST_F(BadInput, LayoutsThatCannotExist) {
  const auto layout = [&](const std::string& text, const std::string& message) {
    expect_failure({"--layout", text, "--devices", "256"}, 1, message);
  };
  layout("tp=3", "256 devices do not divide into replicas of tp·cp·pp = 3·1·1 = 3; use 255 or 258");
  layout("tp=1,dp=8", "but there are 256 devices; leave out dp");
  layout("ep=24", "256 experts do not divide over 24 ranks (ep = 24)");
  layout("pp=64", "64 chunks need as many layers, but");
  layout("pp=8,vpp=16", "chunks need as many layers");
  layout("dp=256,gbs=100", "gbs=100 does not divide over dp·mbs");
  layout("vpp=2", "vpp=2 needs more than one pipeline stage");
  layout("ep=64,etp=3", "expert width 2048 does not divide over etp=3");
  layout("seq=4097,tp=2", "seq=4097 does not divide over cp·tp");
  layout("devices=128", "devices=128, but 256 devices are asked for");
  layout("swap=layer,recompute=layer", "'layer' is both swapped and recomputed");
}

TEST_F(BadInput, LayoutsThatCannotBeRead) {
  const auto layout = [&](const std::string& text, const std::string& message) {
    expect_failure({"--layout", text}, 2, message);
  };
  layout("tpp=8", "unknown key 'tpp'; did you mean 'tp'?");
  layout("tp", "neither a file nor of the form");
  layout("tp=8,tp=4", "tp");
  layout("tp=0", "tp");
  layout("tp=eight", "tp");
  layout("schedule=1f1c", "1f1b");
  layout("missing-layout.json", "neither a file nor of the form");
  expect_failure({"--layout", folder_.write("layout.json", "{\"tp\": 8, \"ppp\": 2}")}, 1, "unknown key 'ppp'");
}

TEST_F(BadInput, NamesThatDoNotExist) {
  expect_failure({"--model", "deepsekv3"}, 2, "did you mean 'deepseekv3'?");
  expect_failure({"--model", folder_.path("missing.json")}, 2, "no file and no recipe in models is called");
  expect_failure({"--cluster", "h10"}, 2, "did you mean 'h100'?");
  expect_failure({"--load", "ziff:1"}, 2, "did you mean 'zipf'?");
  expect_failure({"--load", "zipf"}, 2, "needs an exponent");
  expect_failure({"--load", "dirichlet:0"}, 2, "needs a concentration greater than 0");
  expect_failure({"--load", "balanced:1"}, 2, "takes nothing after the colon");
  expect_failure({"--devices", "0"}, 2, "takes a whole number from 1 to");
  expect_failure({"--devices", "many"}, 2, "takes a whole number from 1 to");
  expect_failure({"--lyaout", "tp=1"}, 2, "unknown option '--lyaout'; did you mean '--layout'?");
}

TEST_F(BadInput, ModelConfigs) {
  const std::string v3 = "models/deepseekv3.json";
  expect_failure({"--model", changed(v3, "\"hidden_size\": 7168,", "")}, 1, "hidden_size");
  expect_failure({"--model", changed(v3, "\"hidden_size\"", "\"hiden_size\"")}, 1, "unknown key 'hiden_size'");
  expect_failure({"--model", changed(v3, "\"hidden_size\": 7168", "\"hidden_size\": \"wide\"")}, 1, "hidden_size");
  expect_failure({"--model", changed(v3, "\"hidden_size\": 7168", "\"hidden_size\": 0")}, 1, "hidden_size");
  const std::string whole = read_file(source_dir() + "/recipes/" + v3);
  expect_failure({"--model", folder_.write("cut.json", whole.substr(0, whole.size() / 2))}, 1, "cut.json");
  expect_failure({"--model", folder_.write("empty.json", "")}, 1, "empty.json");
  expect_failure({"--model", folder_.write("list.json", "[1, 2]")}, 1, "list.json");
}

TEST_F(BadInput, Clusters) {
  const std::string h100 = "clusters/h100.json";
  expect_failure({"--cluster", changed(h100, "\"memory_gb_s\": 3350", "\"memory_gb_s\": 0")}, 1,
                 "accelerator.memory_gb_s must be greater than 0, got 0");
  expect_failure({"--cluster", changed(h100, "\"memory_gib\"", "\"memroy_gib\"")}, 1,
                 "unknown key 'memroy_gib' in accelerator; did you mean 'memory_gib'?");
  expect_failure({"--cluster", folder_.write("cut.json", "{\"name\": \"h100\", ")}, 1, "cut.json");
  std::string content = read_file(source_dir() + "/recipes/" + h100);
  const std::size_t at = content.find("\"gb_s\": ");
  ASSERT_NE(at, std::string::npos);
  content.replace(at, content.find_first_of(",}", at) - at, "\"gb_s\": 0");
  expect_failure({"--cluster", folder_.write("slow.json", content)}, 1, "gb_s must be greater than 0, got 0");
}

TEST_F(BadInput, ClustersTooSmall) {
  Json cluster = load_json(source_dir() + "/recipes/clusters/h100.json");
  cluster["tiers"].erase(std::size_t{1});
  expect_failure({"--cluster", folder_.write("node.json", to_text(cluster)), "--layout", "ep=8", "--devices", "64"}, 1,
                 "joins 8 devices, but the layout has 64");
  cluster["tiers"].clear();
  expect_failure({"--cluster", folder_.write("bare.json", to_text(cluster))}, 1, "tiers is empty");
}

TEST_F(BadInput, Traces) {
  const auto trace = [&](const std::string& rows, const std::string& message) {
    const std::string file = folder_.write("trace.csv", rows);
    expect_failure({"--load", "trace:" + file, "--layout", "ep=8", "--devices", "8"}, 1, message);
  };
  trace("step,layer,expert,tokens\n0,3,0,8\n0,3,1,8\n0,4,0,8\n0,4,1,7\n", "trace.csv");
  trace("step,layer,expert,tokens\n0,3,0,-8\n", "trace.csv");
  trace("step,layer,expert\n0,3,0\n", "tokens");
  trace("", "trace.csv");
  expect_failure({"--load", "trace:" + folder_.path("missing.csv"), "--layout", "ep=8", "--devices", "8"}, 1,
                 "missing.csv");
}

TEST_F(BadInput, PlacesThatCannotBeWritten) {
  const Ran ran = run({"plan", "estimate", "--model", "deepseekv3", "--cluster", "h100", "--layout", "tp=1", "--output",
                       folder_.write("file", "") + "/result.json"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
}

TEST_F(BadInput, MeasuredData) {
  const auto validate = [&](const std::string& data, const std::string& message) {
    const Ran ran = run({"plan", "validate", "--data", data, "--output", folder_.path("out.json")});
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, HasSubstr(message));
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  };
  validate(folder_.path("missing"), "is not a folder");
  validate(folder_.path(""), "holds none of");
  folder_.write("b200_single_node.csv",
                "case,model,parallel,layers,microbatches,seq_len,micro_batch,step_ms,peak_alloc_gib\n"
                "x,llama3-70b,tp1pp2,12,4,4096,1,fast,66.55\n");
  validate(folder_.path(""), "step_ms");
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"b200_single_node.csv"});
}

}  // namespace
}  // namespace filigree::test
