#include "plan/rates.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"

namespace filigree::plan {
namespace {

using spec::Accelerator;
using spec::MatrixCurve;

template <class Value>
const Value& by_dtype(const std::map<std::string, Value>& table, spec::Dtype dtype, const Accelerator& accelerator,
                      std::string_view what) {
  const auto it = table.find(std::string(spec::dtype_name(dtype)));
  if (it != table.end()) return it->second;
  std::vector<std::string> known;
  for (const auto& entry : table) known.push_back(entry.first);
  fail("accelerator {}: has no {} for {}; choose dtype among {}", accelerator.name, what, spec::dtype_name(dtype),
       text::join(known, ", "));
}

}  // namespace

Rates resolve_rates(const Accelerator& accelerator, const spec::Layout& layout) {
  Rates rates;
  rates.matrix_peak = 1e12 * by_dtype(accelerator.peak_tflops, layout.dtype, accelerator, "peak");
  const bool narrow = layout.dtype == spec::Dtype::fp8 || layout.dtype == spec::Dtype::fp4;
  const spec::Dtype wide = narrow ? spec::Dtype::bf16 : layout.dtype;
  rates.attention_peak = 1e12 * by_dtype(accelerator.peak_tflops, wide, accelerator, "peak");
  rates.memory = 1e9 * accelerator.memory_gb_s;
  rates.elementwise = rates.memory * accelerator.memory_efficiency;
  rates.kernel = 1e-6 * accelerator.kernel_us;
  rates.host = layout.graphs ? 0 : 1e-6 * accelerator.host_us;
  rates.units = accelerator.units;
  rates.matrix = by_dtype(accelerator.matrix, layout.dtype, accelerator, "matrix curve");
  const auto grouped = accelerator.grouped.find(std::string(spec::dtype_name(layout.dtype)));
  rates.grouped = grouped != accelerator.grouped.end() ? grouped->second : rates.matrix;
  rates.wide = by_dtype(accelerator.matrix, wide, accelerator, "matrix curve");
  rates.attention = accelerator.attention;
  rates.operand_bytes = spec::dtype_bytes(layout.dtype);
  return rates;
}

Rates wide_rates(const Rates& rates) {
  Rates out = rates;
  out.matrix_peak = rates.attention_peak;
  out.matrix = rates.wide;
  out.operand_bytes = 2;
  return out;
}

double matrix_efficiency(const Rates& rates, const MatrixShape& shape) {
  const MatrixCurve& curve = shape.groups > 1 ? rates.grouped : rates.matrix;
  double efficiency = curve.max * (shape.weight ? curve.weight : 1.0);
  if (curve.k_half > 0) efficiency *= shape.k / (shape.k + curve.k_half);
  // Tiles run in waves over the units. A library picks smaller tiles when few fit, so the better of two tilings counts.
  double best = 0;
  for (const double scale : {1.0, 0.5}) {
    const double tile_m = std::max(16.0, curve.tile_m * scale), tile_n = std::max(16.0, curve.tile_n * scale);
    const double tiles = shape.groups * std::ceil(shape.m / tile_m) * std::ceil(shape.n / tile_n);
    const double filled = shape.groups * (shape.m / tile_m) * (shape.n / tile_n);
    // Smaller tiles re-read their operands more often; 0.8 is what half-size tiles reach of full-size ones.
    const double quality = scale == 1.0 ? 1.0 : 0.8;
    const double waves = std::ceil(tiles / rates.units);
    best = std::max(best, quality * filled / (waves * rates.units));
  }
  // `wave` blends between no loss and the whole loss.
  efficiency *= 1.0 - curve.wave * (1.0 - std::min(1.0, best));
  return std::max(efficiency, 1e-4);
}

double matrix_seconds(const Rates& rates, const MatrixShape& shape) {
  const double flops = 2.0 * shape.groups * shape.m * shape.n * shape.k;
  if (flops <= 0) return 0;
  const double operands = shape.groups * (shape.m * shape.k + shape.k * shape.n) * rates.operand_bytes;
  const double bytes = operands + shape.groups * shape.m * shape.n * shape.output_bytes;
  const double compute = flops / (rates.matrix_peak * matrix_efficiency(rates, shape));
  return rates.kernel + std::max(compute, bytes / rates.elementwise);
}

namespace {

double attention_efficiency(const Rates& rates, const AttentionShape& shape, double at_best) {
  const spec::AttentionCurve& curve = rates.attention;
  double efficiency = at_best;
  if (curve.seq_half > 0) efficiency *= shape.queries / (shape.queries + curve.seq_half);
  if (curve.parallel_half > 0) efficiency *= shape.batch / (shape.batch + curve.parallel_half);
  return efficiency;
}

}  // namespace

double attention_forward_seconds(const Rates& rates, const AttentionShape& shape) {
  const double flops = 2.0 * shape.batch * shape.queries * shape.keys * shape.share * (shape.qk_dim + shape.v_dim);
  if (flops <= 0) return 0;
  return rates.kernel + flops / (rates.attention_peak * attention_efficiency(rates, shape, rates.attention.forward));
}

double attention_backward_seconds(const Rates& rates, const AttentionShape& shape) {
  // Scores again, dP, dQ, dK over qk_dim and v_dim: S and dQ, dK use qk_dim (3×), dP and dV use v_dim (2×).
  const double flops = 2.0 * shape.batch * shape.queries * shape.keys * shape.share * (3 * shape.qk_dim + 2 * shape.v_dim);
  if (flops <= 0) return 0;
  return 3 * rates.kernel + flops / (rates.attention_peak * attention_efficiency(rates, shape, rates.attention.backward));
}

double elementwise_seconds(const Rates& rates, double bytes, double kernels) {
  return kernels * rates.kernel + bytes / rates.elementwise;
}

}  // namespace filigree::plan
