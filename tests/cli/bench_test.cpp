#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "program.h"

/// `filigree bench`: what it prints, not how fast it is.
namespace filigree::test {
namespace {

using testing::HasSubstr;

TEST(BenchDynamics, QuickLookAsTextAndJson) {
  const Ran ran = run({"bench", "dynamics", "--quick", "--parts", "dysts,havok", "--threads", "1"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  for (const char* part : {"so no figure here is one to quote", "median sMAPE", "NBEATSModel", "announced"}) {
    EXPECT_THAT(ran.out, HasSubstr(part));
  }
  EXPECT_THAT(ran.out, testing::Not(HasSubstr("missed")));
  const Json json = run_json({"bench", "dynamics", "--quick", "--parts", "structure", "--json"});
  EXPECT_TRUE(json["quick"]);
  const Json& sizes = json["parts"][0]["figures"]["sizes"];
  ASSERT_EQ(sizes.size(), 6U);
  EXPECT_EQ(sizes[0]["n"], 16);
  EXPECT_EQ(sizes[5]["parameters"], 1024);
}

TEST(BenchDynamics, BadInput) {
  const Ran part = run({"bench", "dynamics", "--parts", "dyst"});
  EXPECT_EQ(part.code, 2);
  EXPECT_EQ(part.err,
            "filigree: --parts: no part is called 'dyst'; did you mean 'dysts'? (parts: dysts, lorenz, author, leads, "
            "havok, structure, speed)\n");
  const Folder folder;
  const auto fails = [&](const std::string& name, const std::string& content, const std::string& message) {
    if (!content.empty()) folder.write(name, content);
    const Ran ran = run({"bench", "dynamics", "--parts", "dysts", "--data", folder.path("")});
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, HasSubstr(message));
  };
  const std::string context = "dysts_test_context.json.gz", truth = "dysts_test_truth_dev.json.gz";
  fails(context, "", context);
  fails(context, "{}", context + ": is no gzip data, or damaged");
  const std::filesystem::path recipes = recipes_folder() / "dynamics";
  const std::string whole = read_file(recipes / context);
  fails(context, whole.substr(0, whole.size() / 2), context + ": the gzip data ends early");
  fails(context, whole, truth);
  folder.write(truth, read_file(recipes / truth));
  fails(context, whole, "dysts_published_smape.csv");
}

}  // namespace
}  // namespace filigree::test
