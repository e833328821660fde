#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"

namespace filigree::test {
namespace {

using testing::HasSubstr;

/// Commands that a help text lists.
std::vector<std::string> listed_commands(const std::string& help) {
  std::vector<std::string> names;
  std::istringstream lines(help);
  bool listing = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == "Subcommands:") {
      listing = true;
    } else if (!line.starts_with("  ")) {
      listing = false;
    } else if (listing && line[2] != ' ') {
      names.push_back(line.substr(2, line.find(' ', 2) - 2));
    }
  }
  return names;
}

void expect_help_below(const std::vector<std::string>& path, int& count) {
  std::vector<std::string> words = path;
  words.push_back("--help");
  const Ran ran = run(words);
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.err, "");
  EXPECT_THAT(ran.out, HasSubstr("Usage: filigree"));
  EXPECT_THAT(ran.out, HasSubstr("Example:\n")) << testing::PrintToString(path);
  ++count;
  for (const std::string& name : listed_commands(ran.out)) {
    std::vector<std::string> deeper = path;
    deeper.push_back(name);
    expect_help_below(deeper, count);
  }
}

TEST(Frame, EveryCommandHasHelpWithAnExample) {
  int count = 0;
  expect_help_below({}, count);
  EXPECT_GE(count, 8);
}

TEST(Frame, Version) {
  const Ran ran = run({"version"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, HasSubstr("filigree 0."));
  const Json json = run_json({"version", "--json"});
  for (const char* key : {"version", "commit", "compiler", "build_type", "sanitizer"})
    EXPECT_TRUE(json.contains(key)) << key;
}

TEST(Frame, CompletionIsValidBashAndCompletes) {
  const Ran script = run({"completion", "bash"});
  EXPECT_EQ(script.code, 0);
  const Folder folder;
  const std::string file = folder.write("filigree.bash", script.out);
  const auto complete = [&](const std::string& words, int at) {
    const std::string text = "source " + file + "; COMP_WORDS=(" + words + "); COMP_CWORD=" + std::to_string(at) +
                             "; _filigree; echo \"${COMPREPLY[@]}\"";
    const Ran ran = run_other("bash", {"--norc", "-c", text});
    EXPECT_EQ(ran.err, "");
    return ran.out;
  };
  EXPECT_EQ(complete("filigree pl", 1), "plan\n");
  EXPECT_EQ(complete("filigree plan est", 2), "estimate\n");
  EXPECT_THAT(complete("filigree plan estimate --la", 3), HasSubstr("--layout"));
  EXPECT_THAT(complete("filigree plan estimate --model pangu", 4), HasSubstr("pangu-ultra-moe"));
  EXPECT_THAT(complete("filigree plan estimate --cluster h1", 4), HasSubstr("h100"));
  EXPECT_THAT(complete("filigree dynamics simulate --system loren", 4), HasSubstr("lorenz96"));
  EXPECT_EQ(complete("filigree dynamics fit --method sin", 4), "sindy\n");
}

struct Wrong {
  std::vector<std::string> words;
  std::string message;
};

TEST(Frame, WrongUsageIsOneSentenceAndExitCodeTwo) {
  const std::vector<Wrong> cases{
      {{},
       "filigree: a command is missing (plan, dynamics, demo, lm, image, bench, version, completion); see filigree "
       "--help"},
      {{"pln"},
       "filigree: unknown command 'pln'; did you mean 'plan'? (commands: plan, dynamics, demo, lm, image, bench, "
       "version, "
       "completion)"},
      {{"plan", "estimat"},
       "filigree: plan: unknown command 'estimat'; did you mean 'estimate'? (commands: estimate, "},
      {{"plan", "estimate"}, "filigree: plan estimate: --model is required; see filigree plan estimate --help"},
      {{"version", "--josn"}, "filigree: version: unknown option '--josn'; did you mean '--json'?"},
      {{"version", "more"}, "filigree: version: 'more' is one word too many"},
      {{"completion", "zsh"}, "filigree: completion: unknown command 'zsh' (commands: bash)"},
      {{"plan", "validate", "--data"}, "filigree: plan validate: --data needs a value"},
      {{"plan", "validate", "--plot", "x.gif"}, "takes a name that ends in .png or .svg, not 'x.gif'"},
  };
  for (const Wrong& wrong : cases) {
    const Ran ran = run(wrong.words);
    EXPECT_EQ(ran.code, 2) << testing::PrintToString(wrong.words);
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, HasSubstr(wrong.message));
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
}

}  // namespace
}  // namespace filigree::test
