#pragma once

#include <functional>

#include "dynamics/sindy.h"

namespace filigree::dynamics {

/// Where a block of regression rows comes from.
struct RowPlace {
  Eigen::Index first = 0;   ///< first row of the block within its run
  Eigen::Index in_run = 0;  ///< rows of the run
  Eigen::Index overall = 0; ///< first row of the block within all runs
};

/// Takes one block [θ | targets]; may destroy it.
using RowSink = std::function<void(Eigen::Ref<Matrix> block, const RowPlace& place)>;

/// How many regression rows a run gives.
Eigen::Index sindy_rows_of(const Dataset& data, std::size_t run, const SindyOptions& options);

/// Makes the rows of the regression in blocks, so that the library of all samples never stands in memory.
void visit_sindy_rows(const Dataset& data, const Library& library, const SindyOptions& options, const RowSink& sink);

}  // namespace filigree::dynamics
