#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "plan/rates.h"

/// Measured times of operators on one accelerator, as tools/measure_operators.py writes them, and what plan/rates.h says
/// about the same operators.
namespace filigree::plan {

/// What an operator's time depends on.
enum class OperatorKind : std::uint8_t {
  matrix,   ///< gemm
  grouped,  ///< grouped_gemm
  attention_forward,
  attention_backward,
  memory,    ///< moves bytes: copy, add, rmsnorm, …
  transfer,  ///< to and from host memory
  launch     ///< one kernel that does nothing
};

/// One row: seconds of one call. Numbers that an operator does not use are 0.
struct OperatorTiming {
  std::string name;  ///< as in the file: "gemm"
  OperatorKind kind = OperatorKind::matrix;
  spec::Dtype dtype = spec::Dtype::bf16;  ///< of matrix products and attention
  double groups = 0;                      ///< experts; attention: sequences × heads
  double m = 0, n = 0, k = 0;             ///< attention: queries, keys, head size of queries and keys
  double v_dim = 0;                       ///< attention: head size of values
  bool causal = false;
  double bytes = 0;
  double seconds = 0;
  int line = 0;
};

struct OperatorTimings {
  std::string where;   ///< the file, for messages
  std::string device;  ///< from its comment "# GPU: …"; may be empty
  std::vector<OperatorTiming> rows;
};

/// Columns operator,dtype,groups,m,n,k,head_dim_v,causal,bytes,microseconds in any order; further ones are passed over.
///
///     operator,dtype,groups,m,n,k,head_dim_v,causal,bytes,microseconds
///     gemm,bf16,0,4096,4096,4096,0,0,0,200.5
///     copy,bf16,0,0,0,0,0,0,1048576,1.742
///
/// Error, with file and line, for a missing column, an operator or dtype that is not known, a time that is not greater
/// than 0, a size that the operator needs and the row leaves at 0, and a file without rows.
OperatorTimings parse_operator_timings(std::string_view text, const std::string& where);
OperatorTimings read_operator_timings(const std::filesystem::path& path);

/// The reverse: CSV as parse_operator_timings takes it.
std::string to_csv(const OperatorTimings& timings);

/// Names of the operators that files may hold.
std::vector<std::string> operator_names();

/// What the planner thinks the row takes. `rates` must be resolved for the row's dtype. Grouped products of one group
/// count as plain ones, as the planner counts them. Transfers and launches are no matter of rates: 0.
double computed_seconds(const Rates& rates, const OperatorTiming& row);

}  // namespace filigree::plan
