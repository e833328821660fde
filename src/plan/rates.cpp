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

namespace {

/// Rows of 16 bytes are what matrix units load.
bool multiple_of_8(double size) { return std::floor(size / 8) * 8 == size; }

}  // namespace

double matrix_seconds(const Rates& rates, const MatrixShape& shape) {
  if (shape.m <= 0 || shape.n <= 0 || shape.k <= 0 || shape.groups <= 0) return 0;
  const MatrixCurve& curve = shape.groups > 1 ? rates.grouped : rates.matrix;
  const double rows = curve.row_tile > 1 ? std::ceil(shape.m / curve.row_tile) * curve.row_tile : shape.m;
  const double output = std::max(shape.groups * rows * shape.n, rates.units * curve.tile * curve.tile);
  const double k = shape.k + curve.k_fill * 2 / rates.operand_bytes;
  double share = std::min(1.0, curve.max * (shape.weight ? curve.weight : 1.0));
  if (shape.groups == 1 && !(multiple_of_8(shape.m) && multiple_of_8(shape.n) && multiple_of_8(shape.k)))
    share *= curve.unaligned;
  const double compute = 2 * output * k / (rates.matrix_peak * share);
  const double operands = shape.groups * (shape.m * shape.k + shape.k * shape.n) * rates.operand_bytes;
  const double bytes = operands + shape.groups * shape.m * shape.n * shape.output_bytes;
  return rates.kernel + std::max(compute, bytes / (rates.memory * curve.memory));
}

namespace {

double attention_seconds(const Rates& rates, const AttentionShape& shape, double dims, double share, double fill) {
  const double work = 2 * shape.batch * shape.queries * shape.keys * shape.share * dims;
  if (work <= 0) return 0;
  const double tail = shape.share < 1 ? rates.attention.causal_tail * 2 * dims * rates.units * 128 * shape.keys : 0;
  return rates.kernel + (work * (1 + fill / shape.keys) + tail) / (rates.attention_peak * share);
}

}  // namespace

double attention_forward_seconds(const Rates& rates, const AttentionShape& shape) {
  return attention_seconds(rates, shape, shape.qk_dim + shape.v_dim, rates.attention.forward,
                           rates.attention.forward_fill);
}

double attention_backward_seconds(const Rates& rates, const AttentionShape& shape) {
  // Scores, dQ and dK work over qk_dim; dP and dV over v_dim.
  return attention_seconds(rates, shape, 3 * shape.qk_dim + 2 * shape.v_dim, rates.attention.backward,
                           rates.attention.backward_fill);
}

double elementwise_seconds(const Rates& rates, double bytes, double kernels) {
  return kernels * rates.kernel + bytes / rates.elementwise;
}

}  // namespace filigree::plan
