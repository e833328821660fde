#pragma once

#include "spec/cluster.h"
#include "spec/layout.h"

/// What one operator costs on an accelerator: a roofline whose compute side depends on the operator's shape.
namespace filigree::plan {

/// The accelerator resolved for the dtypes of one layout, without look-ups by name.
struct Rates {
  double matrix_peak = 0;     ///< FLOP/s in the dtype of matrix products
  double attention_peak = 0;  ///< FLOP/s of attention (16-bit)
  double memory = 0;          ///< bytes/s
  double elementwise = 0;     ///< bytes/s that elementwise operators reach
  double kernel = 0;          ///< s
  double host = 0;            ///< s to launch a kernel; 0 with device graphs
  double units = 1;
  spec::MatrixCurve matrix;
  spec::MatrixCurve grouped;
  spec::AttentionCurve attention;
  double operand_bytes = 2;  ///< of one element of a matrix operand
  spec::MatrixCurve wide;    ///< matrix products that stay in 16 bits (router, head)
};

/// The same accelerator with 16-bit matrix products.
Rates wide_rates(const Rates& rates);

/// Error where the accelerator has no peak or no curve for the dtype.
Rates resolve_rates(const spec::Accelerator& accelerator, const spec::Layout& layout);

/// `groups` products C[m, n] = A[m, k] · B[k, n].
struct MatrixShape {
  double m = 0, n = 0, k = 0;
  double groups = 1;
  bool weight = false;      ///< a weight gradient, accumulated in float32
  double output_bytes = 2;  ///< moved for one element of C, reads of an accumulator included
};

/// Seconds of a (grouped) product, kernel start included.
double matrix_seconds(const Rates& rates, const MatrixShape& shape);

/// `batch` attentions of `queries` rows over `keys` columns, of which `share` is computed (0.5: causal).
struct AttentionShape {
  double batch = 0;  ///< sequences × heads
  double queries = 0, keys = 0;
  double qk_dim = 0, v_dim = 0;
  double share = 0.5;
};

double attention_forward_seconds(const Rates& rates, const AttentionShape& shape);
double attention_backward_seconds(const Rates& rates, const AttentionShape& shape);

/// `kernels` elementwise kernels that move `bytes` together.
double elementwise_seconds(const Rates& rates, double bytes, double kernels);

}  // namespace filigree::plan
