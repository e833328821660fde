#include <fmt/format.h>

#include "base/cancel.h"
#include "base/text.h"
#include "dynamics/bench.h"
#include "dynamics/bench_tools.h"
#include "dynamics/leads_lotka_volterra.h"
#include "dynamics/short_number.h"

namespace filigree::dynamics {
namespace {

struct Form {
  LeadsForm form;
  const char* name;
};

std::string chosen_text(const LeadsOptions& options) {
  switch (options.form) {
    case LeadsForm::polynomial:
      return fmt::format("degree {}, omega {}", options.degree, options.omega);
    case LeadsForm::low_rank_polynomial:
      return fmt::format("degree {}, rank {}", options.degree, options.rank);
    default:
      return fmt::format("rank {}, ridge {}", options.rank, options.ridge);
  }
}

}  // namespace

BenchPart bench_leads(const BenchSettings& settings) {
  BenchPart part{"leads", "Ten Lotka-Volterra environments (LEADS)"};
  constexpr double kPublished = 1.16e-3, kWanted = 1e-4;
  constexpr Form forms[] = {{LeadsForm::low_rank_polynomial, "polynomial field, environments of low rank"},
                            {LeadsForm::polynomial, "polynomial field, regularised as published"},
                            {LeadsForm::low_rank, "perceptrons, environments of low rank"}};
  Table table({"form", "sets", "chosen on the training runs", "test MSE", "parameters", "seconds"});
  table.align(1, Align::left).align(2, Align::left);
  double worst = 0;
  const int seeds = settings.quick ? 0 : settings.seeds;
  Progress progress(settings.progress, std::int64_t{3} * (seeds + 1), "fits");
  for (const Form& form : forms) {
    if (settings.quick && form.form == LeadsForm::low_rank) continue;
    for (int seed = 0; seed <= seeds && !cancelled(); ++seed) {
      const LeadsSets sets =
          seed == 0 ? leads_lotka_volterra() : leads_lotka_volterra(static_cast<std::uint64_t>(seed));
      std::vector<LeadsOptions> candidates = leads_candidates(form.form, seed);
      for (LeadsOptions& options : candidates) options.threads = settings.threads;
      const LeadsScore score = leads_lotka_volterra_score(sets, candidates);
      table.row({form.name, seed == 0 ? "published seeds" : fmt::format("own, seed {}", seed),
                 chosen_text(score.options), short_number(score.mse), text::with_thousands(score.parameters),
                 fmt::format("{:.1f}", score.seconds)});
      part.figures[std::string(enum_name(form.form))].push_back(score.mse);
      if (form.form == LeadsForm::low_rank_polynomial) worst = std::max(worst, score.mse);
      progress.advance();
    }
  }
  table.row({"LEADS, published", "published seeds", "", short_number(kPublished), "", ""});
  part.tables.push_back(
      {"Mean squared error of 20 samples in 32 test runs of each environment; one training run in each. "
       "The truth is integrated to 1e-12, that of the publication with RK45 at its default 1e-3.",
       table});
  part.notes.push_back(
      "The first two forms know that the field is a polynomial, which the published perceptrons do not; without that "
      "knowledge, see the last form.");
  part.targets = {{"LEADS' Lotka-Volterra, test MSE, worst of the sets (knows that the field is polynomial)", "≤ 1e-4",
                   short_number(worst), worst <= kWanted}};
  return part;
}

}  // namespace filigree::dynamics
