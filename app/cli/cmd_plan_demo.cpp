#include <chrono>
#include <filesystem>
#include <memory>
#include <system_error>

#include <fmt/format.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "commands.h"
#include "demo.h"
#include "demo_page.h"
#include "frame.h"
#include "plan/report.h"

namespace filigree::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string output = "out";
  int threads = 1;
};

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

/// Everything in order, printing what is done; false where it was stopped.
bool compute(Demo& demo, int threads, ProgressSink* progress) {
  const auto begin = std::chrono::steady_clock::now();
  demo = ablate_demo(progress);
  if (cancelled()) return false;
  emit({}, plan::ablation_text(demo.ablation));
  search_demo(demo, threads, progress);
  if (cancelled()) return false;
  print_search(demo);
  check_demo(demo, threads, progress);
  if (cancelled()) return false;
  emit({}, "\n" + plan::validation_text(demo.validation, false));
  demo.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return true;
}

/// Nothing is written before all is computed and drawn, and each file whole or not at all; the page comes last.
void run(const Options& options) {
  const fs::path folder = options.output;
  make_folder(folder);
  TerminalProgress progress(stderr);
  Demo demo;
  std::vector<DemoFile> files;
  if (compute(demo, options.threads, &progress)) files = draw_demo(demo, &progress);
  if (cancelled()) return emit({}, std::string("\nStopped; nothing was written.\n"));
  for (DemoFile& file : demo_data(demo)) files.push_back(std::move(file));
  for (const DemoFile& file : files) write_file(folder / file.name, file.content);
  write_demo_page(demo, files, folder);
  std::string names;
  for (const DemoFile& file : files) names += (names.empty() ? "" : ", ") + file.name;
  emit({}, fmt::format("\nBeside the page  {}\nThe report page  {}\n", names, (folder / "index.html").string()));
}

}  // namespace

void setup_plan_demo(CLI::App& plan) {
  CLI::App* command =
      add_command(plan, {"demo", "Plan Pangu Ultra MoE on 6,144 Ascend NPUs and write a report page with pictures.",
                         "filigree plan demo --output out"});
  const auto options = std::make_shared<Options>();
  command->add_option("-o,--output", options->output, "the folder for the page and its pictures")
      ->type_name("DIR")
      ->capture_default_str();
  add_threads(*command, options->threads);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
