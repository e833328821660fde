#pragma once

#include "dynamics/dmd.h"

namespace filigree::dynamics {

/// Snapshots one above the other, and the ones that follow them. Where there are more samples than columns, the rows
/// are those of the triangular factor of [before after controls]: all products of columns are the same, and no method
/// here needs more.
struct Snapshots {
  Matrix before, after;  ///< (rows, delays * coordinates); oldest sample first
  Matrix controls;       ///< (rows, controls)
  Eigen::Index pairs = 0;
};

Snapshots snapshot_pairs(const Dataset& data, int delays);

/// Snapshots of one run: (samples - delays + 1, delays * coordinates).
Matrix stacked_samples(const Matrix& states, int delays);

}  // namespace filigree::dynamics
