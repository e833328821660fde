#include "dynamics/bench.h"

#include <chrono>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"

namespace filigree::dynamics {

const std::vector<BenchKind>& bench_kinds() {
  static const std::vector<BenchKind> kinds{
      {"dysts", "univariate forecasts of chaotic systems against 16 published models", bench_dysts},
      {"lorenz", "how long a polynomial propagator follows Lorenz-63", bench_lorenz},
      {"author", "the structured network against its co-author's own benchmark", bench_author},
      {"leads", "ten Lotka-Volterra environments, shared and own dynamics", bench_leads},
      {"havok", "lobe switches of Lorenz-63 announced by forcing", bench_havok},
      {"structure", "parameters, operations and time of a structured layer against a dense one", bench_structure},
      {"speed", "a step of the structured network; a fit of SINDy", bench_speed}};
  return kinds;
}

const BenchKind& find_bench_kind(const std::string& name) {
  std::vector<std::string> names;
  for (const BenchKind& kind : bench_kinds()) {
    if (kind.name == name) return kind;
    names.push_back(kind.name);
  }
  fail("no part is called '{}'{} (parts: {})", name, text::did_you_mean(name, names), text::join(names, ", "));
}

BenchPart run_bench(const BenchKind& kind, const BenchSettings& settings) {
  const auto begin = std::chrono::steady_clock::now();
  BenchPart part = kind.run(settings);
  if (settings.quick) part.targets.clear();  // figures of a quick look meet and miss nothing
  part.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return part;
}

Table target_table(const std::vector<BenchPart>& parts) {
  Table table({"target", "wanted", "measured", ""});
  table.align(1, Align::left).align(2, Align::left);
  for (const BenchPart& part : parts) {
    for (const BenchTarget& target : part.targets) {
      table.row({target.what, target.wanted, target.measured, target.met ? "met" : "missed"});
    }
  }
  return table;
}

std::string bench_text(const BenchPart& part) {
  std::string out = fmt::format("{} ({:.1f} s)\n", part.title, part.seconds);
  for (const BenchTable& table : part.tables) out += fmt::format("\n{}\n{}", table.caption, table.table.text());
  if (!part.notes.empty()) out += "\n";
  for (const std::string& note : part.notes) out += note + "\n";
  return out;
}

std::string bench_markdown(const BenchPart& part) {
  std::string out = fmt::format("### {}\n", part.title);
  for (const BenchTable& table : part.tables) out += fmt::format("\n{}\n\n{}", table.caption, table.table.markdown());
  for (const std::string& note : part.notes) out += "\n" + note + "\n";
  return out;
}

Json bench_json(const BenchPart& part) {
  Json json;
  json["name"] = part.name;
  json["title"] = part.title;
  json["seconds"] = part.seconds;
  json["figures"] = part.figures;
  json["targets"] = Json::array();
  for (const BenchTarget& target : part.targets) {
    Json row;
    row["what"] = target.what;
    row["wanted"] = target.wanted;
    row["measured"] = target.measured;
    row["met"] = target.met;
    json["targets"].push_back(std::move(row));
  }
  json["notes"] = part.notes;
  return json;
}

}  // namespace filigree::dynamics
