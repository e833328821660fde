#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "base/error.h"
#include "base/plot.h"
#include "base/progress.h"
#include "base/text.h"
#include "commands.h"
#include "frame.h"
#include "plan/search_report.h"
#include "search_command.h"

namespace filigree::cli {
namespace {

constexpr std::string_view kNoPairs =
    " Zero-bubble schedules cannot hide expert communication so; overlap=gradients+parameters+pipeline+shared tries "
    "them.";

/// Takes a number of its own option into the base, where the layout does not say another.
void fix_number(plan::SearchBase& base, const std::string& key, std::int64_t given, std::int64_t& field) {
  if (given == 0) return;
  if (base.fixes(key) && field != given) {
    throw UsageError(
        fmt::format("plan search: --{} is {}, but the layout says {}={}; give one of the two", key, given, key, field));
  }
  field = given;
  base.fixed.push_back(key);
}

/// What training frameworks overlap: with experts, another micro-batch hides their communication where the schedule
/// permits that.
std::vector<spec::Overlap> usual_overlap(const plan::SearchRequest& request, bool experts) {
  std::vector<spec::Overlap> overlap{spec::Overlap::gradients, spec::Overlap::parameters, spec::Overlap::pipeline};
  const auto zero_bubble = [](spec::Schedule schedule) { return schedule == spec::Schedule::zero_bubble; };
  const std::vector<spec::Schedule>& listed = request.space.schedule;
  const bool no_pairs = request.base.fixes("schedule")
                            ? zero_bubble(request.base.layout.schedule)
                            : !listed.empty() && std::all_of(listed.begin(), listed.end(), zero_bubble);
  if (experts) overlap.push_back(no_pairs ? spec::Overlap::shared : spec::Overlap::experts);
  return overlap;
}

}  // namespace

PreparedSearch prepare_search(const SearchOptions& options, bool experts) {
  PreparedSearch out;
  plan::SearchRequest& request = out.request;
  request.cluster = read_cluster(options.inputs.cluster);
  request.load = read_load(options.inputs);
  request.devices = options.inputs.devices;
  request.base = from_words([&] { return plan::parse_base(options.layout); });
  request.space = from_words([&] { return plan::parse_space(options.space); });
  const auto objective = enum_from_name<plan::Objective>(options.objective);
  if (!objective)
    throw UsageError(fmt::format("--objective cannot be '{}' (one of: mfu, tokens, cost)", options.objective));
  request.objective = *objective;
  request.top = options.top;
  request.threads = options.threads;
  // Well above what is shown: closed forms and timelines order the best a little differently.
  request.timelines = std::max<std::int64_t>(64, 4 * options.top);
  fix_number(request.base, "gbs", options.gbs, request.base.layout.gbs);
  fix_number(request.base, "seq", options.seq, request.base.layout.seq);
  spec::Layout& layout = request.base.layout;
  if (!request.base.fixes("seq")) {
    out.assumed.push_back(fmt::format("Sequences of {} tokens (--seq).", text::with_thousands(layout.seq)));
  }
  if (layout.gbs == 0) {
    layout.gbs = plan::default_batch(request.devices, layout.seq);
    out.assumed.push_back(fmt::format("{} sequences a step (--gbs).", text::with_thousands(layout.gbs)));
  }
  if (!request.base.fixes("overlap")) {
    layout.overlap = usual_overlap(request, experts);
    request.base.fixed.push_back("overlap");
    std::vector<std::string> words;
    for (const spec::Overlap what : layout.overlap) words.emplace_back(enum_name(what));
    out.assumed.push_back(fmt::format("Communication hides behind computation: overlap={} (--layout).{}",
                                      text::join(words, "+"), layout.overlaps(spec::Overlap::experts) ? kNoPairs : ""));
  }
  return out;
}

namespace {

void run(const SearchOptions& options) {
  if (!options.shapes.empty()) return run_shape_search(options);
  if (options.inputs.model.empty())
    throw UsageError("plan search: give --model, or --shapes for models of many shapes");
  spec::Model model = read_language_model(options.inputs.model, "plan search");
  PreparedSearch prepared = prepare_search(options, model.experts.has_value());
  prepared.request.model = std::move(model);
  TerminalProgress progress(stderr);
  prepared.request.progress = &progress;
  const plan::SearchResult result = plan::search(prepared.request);
  const bool nothing = result.top.empty() && !result.cancelled;
  if (nothing && !options.output.as_json()) throw Error(plan::nothing_fits(result, prepared.request));
  if (!options.plot.empty() && !result.front.empty()) {
    render(plan::search_plot(result, prepared.request), options.plot);
    report_written(options.plot);
  }
  if (options.output.as_json()) {
    emit(options.output, plan::search_json(result, prepared.request, prepared.assumed));
    if (nothing) throw Error(plan::nothing_fits(result, prepared.request));
    return;
  }
  emit(options.output, plan::search_text(result, prepared.request, prepared.assumed));
}

void add_search_options(CLI::App& command, SearchOptions& options) {
  PlanInputs& in = options.inputs;
  command.add_option("-m,--model", in.model, "a recipe's name, a recipe file, or a Hugging Face config.json")
      ->type_name("MODEL");
  command.add_option("--shapes", options.shapes, "shapes of models: a recipe of shapes or a file, in place of --model")
      ->type_name("SHAPES");
  command.add_option("-c,--cluster", in.cluster, "a cluster recipe's name or file")->type_name("CLUSTER")->required();
  command.add_option("-n,--devices", in.devices, "devices in all")
      ->check(whole_number(1, std::int64_t{1} << 24))
      ->type_name("N")
      ->required();
  command.add_option("--load", in.load, "load of experts: balanced, uniform, zipf:0.5, dirichlet:5 or trace:FILE")
      ->type_name("LOAD")
      ->capture_default_str();
  command.add_option("--seed", in.seed, "seed of the draws of an uneven load")
      ->check(whole_number(0, std::int64_t{1} << 53))
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--objective", options.objective, "mfu, tokens or cost: what orders the result")
      ->type_name("WORD")
      ->capture_default_str();
  command.add_option("--top", options.top, "layouts to show")
      ->check(whole_number(1, 1000))
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("-l,--layout", options.layout, "settings that all layouts share: dtype=fp8,overlap=experts+pipeline")
      ->type_name("LAYOUT");
  command
      .add_option("--space", options.space,
                  "what is tried, where the default is too much: tp=4+8,pp=8+16,recompute=none+fine")
      ->type_name("SPACE");
  command.add_option("--gbs", options.gbs, "sequences in a step")
      ->check(whole_number(1, std::int64_t{1} << 40))
      ->type_name("N");
  command.add_option("--seq", options.seq, "tokens in a sequence")
      ->check(whole_number(1, std::int64_t{1} << 40))
      ->type_name("N");
}

}  // namespace

void setup_plan_search(CLI::App& plan) {
  CLI::App* command = add_command(
      plan, {"search", "Search for the best layouts of a model, or the best shapes of models with their layouts.",
             "filigree plan search --model deepseekv3 --cluster h100 --devices 1024 --gbs 8192 --plot pareto.png"});
  const auto options = std::make_shared<SearchOptions>();
  add_search_options(*command, *options);
  add_threads(*command, options->threads);
  add_picture(*command, "--plot", options->plot, "draw what more memory buys (.png or .svg)");
  add_output(*command, options->output);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
