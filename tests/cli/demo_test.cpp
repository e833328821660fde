#include <cstdio>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "program.h"

namespace filigree::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::vector<std::string> pictures{"ablation.png", "memory.png",   "pareto.png",
                                        "shapes.png",   "timeline.png", "validation.png"};

/// What one run printed and wrote; it takes seconds, so that one test looks at all of it.
struct Report {
  Ran ran;
  const Folder& folder;

  std::string path(const std::string& name) const { return folder.path("out/" + name); }
  std::string page() const { return read_file(path("index.html")); }
};

/// "18.7 %" of a fraction.
std::string percent(double fraction) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * fraction);
  return text;
}

void expect_terminal(const Report& report) {
  EXPECT_THAT(report.ran.out,
              AllOf(HasSubstr("+ swapping"), HasSubstr("The best layouts, all with"),
                    HasSubstr("6,144 sequences of 8,192 tokens a step"), HasSubstr("do not fit in memory"),
                    HasSubstr("published run"), HasSubstr("MFU = ")));
  const std::string last = "The report page  " + report.path("index.html") + "\n";
  EXPECT_TRUE(report.ran.out.ends_with(last)) << report.ran.out.substr(report.ran.out.size() - 300);
}

void expect_pictures(const Report& report) {
  const std::string page = report.page();
  std::size_t embedded = 0;
  for (std::size_t at = 0; (at = page.find("src=\"data:image/png;base64,", at)) != std::string::npos; ++at) ++embedded;
  EXPECT_EQ(embedded, pictures.size());
  for (const std::string& picture : pictures) {
    EXPECT_TRUE(read_file(report.path(picture)).starts_with("\x89PNG")) << picture;
  }
  EXPECT_THAT(page, AllOf(Not(HasSubstr("src=\"http")), Not(HasSubstr("<script")), Not(HasSubstr("<link"))));
}

void expect_numbers(const Report& report) {
  const std::string page = report.page();
  const Json ablation = run_json({"plan", "ablate", "--json"});
  for (const Json& step : ablation["steps"]) {
    EXPECT_THAT(page, HasSubstr(percent(step["mfu"].get<double>()))) << step["name"];
  }
  for (const std::string assumption : ablation["assumptions"]) {
    EXPECT_THAT(page, HasSubstr(assumption.substr(0, assumption.find_first_of("'&<>\"")))) << assumption;
  }
  for (const Json& layout : load_json(report.path("layouts.json"))) {
    EXPECT_THAT(page, HasSubstr(percent(layout["mfu"].get<double>())));
  }
  EXPECT_THAT(page, AllOf(HasSubstr("Pangu Ultra MoE on 6,144 × Ascend 910B"), HasSubstr("18.9 %"), HasSubstr("30.0 %"),
                          HasSubstr("MFU = "), HasSubstr("a100_multi_node"), HasSubstr("b200_single_node"),
                          HasSubstr("filigree plan estimate --model pangu-ultra-moe")));
}

void expect_layouts(const Report& report) {
  const Json layouts = load_json(report.path("layouts.json"));
  ASSERT_EQ(layouts.size(), 10);
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    EXPECT_EQ(layouts[i]["fits"], true);
    EXPECT_EQ(layouts[i]["layout"]["devices"], 6144);
    EXPECT_EQ(layouts[i]["layout"]["gbs"], 6144);
    if (i > 0) {
      EXPECT_GE(layouts[i - 1]["mfu"].get<double>(), layouts[i]["mfu"].get<double>());
    }
  }
}

void expect_trace(const Report& report) {
  const Json trace = load_json(report.path("trace.json"));
  std::size_t passes = 0;
  for (const Json& event : trace["traceEvents"]) {
    if (event["ph"] != "X" || event["cat"] == "send") continue;
    passes += event["cat"] == "pair" ? 2 : 1;
  }
  EXPECT_EQ(passes, 16 * 2 * 64 * 2);  // stages × chunks × micro-batches × forward and backward
}

void expect_no_more(const Report& report) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(report.folder.path("out")))
    files += entry.is_regular_file();
  EXPECT_EQ(files, pictures.size() + 3);  // with the page, the trace and the layouts
}

TEST(PlanDemo, WritesTheReport) {
  const Folder folder;
  const Report report{run({"plan", "demo", "--output", folder.path("out")}), folder};
  ASSERT_EQ(report.ran.code, 0) << report.ran.err;
  expect_terminal(report);
  expect_pictures(report);
  expect_numbers(report);
  expect_layouts(report);
  expect_trace(report);
  expect_no_more(report);
}

TEST(DynamicsDemo, WritesTheReport) {
  const Folder folder;
  const Report report{run({"dynamics", "demo", "--output", folder.path("out")}), folder};
  ASSERT_EQ(report.ran.code, 0) << report.ran.err;
  EXPECT_THAT(report.ran.out, AllOf(HasSubstr("lorenz: learned from 3,000 samples"), HasSubstr("stnn_published"),
                                    HasSubstr("x alone: 1000 samples, the next 200 forecast by method auto")));
  for (const char* name : {"lorenz-phase", "lorenz-rollout", "lorenz-growth", "lorenz-forecast"}) {
    EXPECT_TRUE(read_file(report.path(std::string(name) + ".png")).starts_with("\x89PNG")) << name;
  }
  const std::string page = report.page();
  EXPECT_THAT(page, AllOf(HasSubstr("<td>polynomial_propagator</td>"), HasSubstr("<td>stnn</td>"),
                          HasSubstr("smaller or trained shorter than by default"), Not(HasSubstr("class=\"part\"")),
                          Not(HasSubstr("src=\"http"))));
}

TEST(PlanDemo, NeedsAFolder) {
  const Folder folder;
  const std::string file = folder.write("taken", "x");
  const Ran ran = run({"plan", "demo", "--output", file});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, AllOf(HasSubstr("taken: the folder for the report cannot be made"), HasSubstr("--output")));
  const Ran below = run({"plan", "demo", "--output", file + "/out"});
  EXPECT_EQ(below.code, 1);
  EXPECT_THAT(below.err, HasSubstr("the folder for the report cannot be made"));
  EXPECT_EQ(folder.names(), std::vector<std::string>{"taken"});
}

}  // namespace
}  // namespace filigree::test
