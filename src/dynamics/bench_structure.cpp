#include <cmath>

#include <fmt/format.h>

#include "base/cancel.h"
#include "base/random.h"
#include "base/text.h"
#include "dynamics/bench.h"
#include "dynamics/bench_tools.h"
#include "dynamics/data.h"
#include "structured/dense.h"
#include "structured/skew.h"

namespace filigree::dynamics {
namespace {

struct SizeRow {
  Eigen::Index n = 0;
  std::int64_t parameters = 0, operations = 0;
  double structured_ns = 0, dense_ns = 0, difference = 0;
};

/// A Hankel operator of n, structured and dense, on the same vector.
SizeRow measure(Eigen::Index n) {
  const auto size = static_cast<std::size_t>(n);
  const structured::SkewProduct skew(size);
  Random random(static_cast<std::uint64_t>(n));
  Vector symbol(2 * n - 1), x(n), y(n), dense_y(n);
  for (double& value : symbol) value = random.normal();
  for (double& value : x) value = random.normal();
  Vector lambda_re(n), lambda_im(n), u_re(n), u_im(n), v_re(n), v_im(n), work(skew.work_size(1));
  skew.spectrum(symbol.data(), {lambda_re.data(), lambda_im.data()}, work.data());
  const Matrix dense = structured::hankel_matrix(symbol);
  SizeRow row{n, 2 * n, static_cast<std::int64_t>(skew.operations())};
  const structured::Split u{u_re.data(), u_im.data()}, v{v_re.data(), v_im.data()};
  const auto product = [&] {
    skew.analyse(x.data(), u, 1, work.data());
    skew.scale({lambda_re.data(), lambda_im.data()}, true, false, u, v, 1);
    skew.synthesise(v, y.data(), 1, work.data());
    y.reverseInPlace();
  };
  row.structured_ns = nanoseconds_of(product);
  row.dense_ns = nanoseconds_of([&] { dense_y.noalias() = dense * x; });
  row.difference = (y - dense_y).norm() / dense_y.norm();
  return row;
}

}  // namespace

BenchPart bench_structure(const BenchSettings& settings) {
  BenchPart part{"structure", "A structured layer against a dense one"};
  Table table({"n", "parameters", "dense parameters", "operations", "operations / (n log2 n)", "dense operations", "ns",
               "dense (Eigen), ns", "dense / structured", "difference"});
  const Eigen::Index largest = settings.quick ? 512 : 4096;
  Eigen::Index crossing = 0;
  double least = 1e300, most = 0;
  Progress progress(settings.progress, 9, "sizes");
  for (Eigen::Index n = 16; n <= largest && !cancelled(); n *= 2) {
    const SizeRow row = measure(n);
    const double per = static_cast<double>(row.operations) / (static_cast<double>(n) * std::log2(n));
    least = std::min(least, per);
    most = std::max(most, per);
    if (row.structured_ns >= row.dense_ns) crossing = 0;
    if (crossing == 0 && row.structured_ns < row.dense_ns) crossing = n;
    table.row({fmt::format("{}", n), text::with_thousands(row.parameters), text::with_thousands(n * n),
               text::with_thousands(row.operations), fmt::format("{:.1f}", per), text::with_thousands(2 * n * n),
               fmt::format("{:.0f}", row.structured_ns), fmt::format("{:.0f}", row.dense_ns),
               fmt::format("{:.2f}", row.dense_ns / row.structured_ns), fmt::format("{:.1e}", row.difference)});
    Json figures;
    figures["n"] = n;
    figures["parameters"] = row.parameters;
    figures["operations"] = row.operations;
    figures["structured_ns"] = row.structured_ns;
    figures["dense_ns"] = row.dense_ns;
    part.figures["sizes"].push_back(std::move(figures));
    progress.advance();
  }
  part.tables.push_back(
      {"One weight matrix (a Hankel operator) times one vector, float64, one thread; the same product by "
       "Eigen beside it.",
       table});
  part.targets = {{"operations over n log2 n, from n = 16 to the largest", "bounded",
                   fmt::format("{:.1f} … {:.1f}", least, most), most <= 3 * least},
                  {"faster than the dense product from", "n ≤ 256",
                   crossing > 0 ? fmt::format("n = {}", crossing) : "never", crossing > 0 && crossing <= 256}};
  return part;
}

}  // namespace filigree::dynamics
