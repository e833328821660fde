#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "base/build_info.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "commands.h"
#include "demo.h"
#include "demo_dynamics.h"
#include "demo_page.h"
#include "demo_part.h"
#include "frame.h"
#include "plan/report.h"

namespace filigree::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  bool plan = true, dynamics = true;
  bool torch = false;  ///< also what filigree-torch shows
  std::string output = "out";
  int threads = 1;
};

/// What was computed, and the files beside the page.
struct Results {
  std::optional<Demo> plan;
  std::optional<DynamicsDemo> dynamics;
  std::vector<std::pair<fs::path, DemoPart>> torch;  ///< folder and part
  std::vector<DemoFile> files;
};

constexpr const char* kLorenz = "Lorenz' system, learned from data";

/// Makes the folder before any work, so that a place that cannot be written is found at once.
void make_folder(const fs::path& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code || !fs::is_directory(folder, code)) {
    fail("{}: the folder for the report cannot be made ({}); name another with --output", folder.string(),
         code ? code.message() : "a file has this name");
  }
}

void print_search(const Demo& demo) {
  std::string text = "\nThe best layouts, all with\n";
  for (const std::string& sentence : demo.fixed) text += "  " + sentence + "\n";
  text += "\n" + best_table(demo).text() + "\n" + outcome_table(demo.search.counts).text();
  emit({}, text);
}

/// Everything in order, printing what is done; empty where it was stopped.
std::optional<Demo> compute_plan(int threads, ProgressSink* progress) {
  const auto begin = std::chrono::steady_clock::now();
  Demo demo = ablate_demo(progress);
  if (cancelled()) return std::nullopt;
  emit({}, plan::ablation_text(demo.ablation));
  search_demo(demo, threads, progress);
  if (cancelled()) return std::nullopt;
  print_search(demo);
  check_demo(demo, threads, progress);
  if (cancelled()) return std::nullopt;
  emit({}, "\n" + plan::validation_text(demo.validation, false));
  demo.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return demo;
}

void add_files(Results& results, std::vector<DemoFile> files) {
  for (DemoFile& file : files) results.files.push_back(std::move(file));
}

void compute(Results& results, const Options& options, ProgressSink* progress) {
  if (options.plan) {
    results.plan = compute_plan(options.threads, progress);
    if (cancelled()) return;
    add_files(results, draw_demo(*results.plan, progress));
    add_files(results, demo_data(*results.plan));
  }
  if (options.dynamics && !cancelled()) {
    results.dynamics = learn_dynamics_demo(progress);
    if (cancelled()) return;
    emit({}, dynamics_demo_text(*results.dynamics));
    add_files(results, draw_dynamics_demo(*results.dynamics, progress));
  }
}

/// What filigree-torch shows, each in a folder of its own.
void compute_torch(Results& results, const fs::path& folder) {
  for (const char* group : {"lm", "image"}) {
    const fs::path place = folder / group;
    if (cancelled()) return;
    if (auto part = run_torch_demo(group, place)) results.torch.emplace_back(place, std::move(*part));
  }
}

/// One page; with headings for each part where there are several.
void write_page(const Results& results, const fs::path& folder) {
  const bool both = results.plan && results.dynamics;
  double seconds = (results.plan ? results.plan->seconds : 0) + (results.dynamics ? results.dynamics->seconds : 0);
  for (const auto& [place, part] : results.torch) seconds += part.seconds;
  const std::string title = both           ? "Filigree: sparse and structured networks"
                            : results.plan ? results.plan->title()
                                           : kLorenz;
  const char* what = both ? "computed" : results.plan ? "planned" : "learned";
  Html page(title, fmt::format("{} with filigree {} in {:.1f} s", what, build_info::version, seconds));
  if (results.plan) {
    if (both) page.part(results.plan->title());
    add_demo(page, *results.plan, results.files, folder);
  }
  if (results.dynamics) {
    if (both) page.part(kLorenz);
    add_dynamics_demo(page, *results.dynamics, results.files, folder);
  }
  for (const auto& [place, part] : results.torch) {
    page.part(part.title);
    add_part(page, part, place);
  }
  page.write(folder / "index.html");
}

/// The page comes last, when all is computed and drawn, and each file whole or not at all.
void run(const Options& options) {
  const fs::path folder = options.output;
  make_folder(folder);
  TerminalProgress progress(stderr);
  Results results;
  compute(results, options, &progress);
  if (options.torch && !cancelled()) compute_torch(results, folder);
  if (cancelled()) return emit({}, std::string("\nStopped; there is no page.\n"));
  for (const DemoFile& file : results.files) write_file(folder / file.name, file.content);
  write_page(results, folder);
  std::string names;
  for (const DemoFile& file : results.files) names += (names.empty() ? "" : ", ") + file.name;
  emit({}, fmt::format("\nBeside the page  {}\nThe report page  {}\n", names, (folder / "index.html").string()));
}

void add_options(CLI::App& command, const Options& defaults) {
  const auto options = std::make_shared<Options>(defaults);
  command.add_option("-o,--output", options->output, "the folder for the page and its pictures")
      ->type_name("DIR")
      ->capture_default_str();
  if (defaults.plan) add_threads(command, options->threads);
  command.callback([options] { run(*options); });
}

}  // namespace

void setup_demo(CLI::App& app) {
  add_options(*add_command(app, {"demo", "Show what the program does: a report page with pictures, in a few minutes.",
                                 "filigree demo --output out"}),
              {.torch = true});
}

void setup_plan_demo(CLI::App& plan) {
  add_options(
      *add_command(plan, {"demo", "Plan Pangu Ultra MoE on 6,144 Ascend NPUs and write a report page with pictures.",
                          "filigree plan demo --output out"}),
      {.dynamics = false});
}

void setup_dynamics_demo(CLI::App& dynamics) {
  add_options(
      *add_command(dynamics, {"demo", "Learn Lorenz' system by every method and write a report page with pictures.",
                              "filigree dynamics demo --output out"}),
      {.plan = false});
}

}  // namespace filigree::cli
