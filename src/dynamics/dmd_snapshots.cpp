#include "dynamics/dmd_snapshots.h"

#include <algorithm>

#include "dynamics/row_qr.h"

namespace filigree::dynamics {

using Index = Eigen::Index;

Matrix stacked_samples(const Matrix& states, int delays) {
  const Index count = states.rows() - delays + 1, n = states.cols();
  Matrix result(count, delays * n);
  for (int d = 0; d < delays; ++d) result.middleCols(d * n, n) = states.middleRows(d, count);
  return result;
}

Snapshots snapshot_pairs(const Dataset& data, int delays) {
  const Index n = data.dimension() * delays, columns = 2 * n + data.num_controls();
  Snapshots result;
  for (const Trajectory& run : data.runs) result.pairs += run.states.rows() - delays;
  const bool compress = result.pairs > columns;
  RowQr factor(compress ? columns : 0);
  Matrix all(compress ? 0 : result.pairs, columns);
  Index done = 0;
  for (const Trajectory& run : data.runs) {
    const Index pairs = run.states.rows() - delays;
    const Index chunk = compress ? RowQr::block_rows(columns) : pairs;
    for (Index i = 0; i < pairs; i += chunk) {
      const Index count = std::min(chunk, pairs - i);
      const Matrix stacked = stacked_samples(run.states.middleRows(i, count + delays), delays);
      Matrix block(count, columns);
      block.leftCols(n) = stacked.topRows(count);
      block.middleCols(n, n) = stacked.bottomRows(count);
      if (data.num_controls() > 0) {
        block.rightCols(data.num_controls()) = run.controls.middleRows(i + delays - 1, count);
      }
      if (compress)
        factor.add(block);
      else
        all.middleRows(done, count) = block;
      done += count;
    }
  }
  const Matrix& rows = compress ? factor.r() : all;
  result.before = rows.leftCols(n);
  result.after = rows.middleCols(n, n);
  result.controls = rows.rightCols(data.num_controls());
  return result;
}

}  // namespace filigree::dynamics
