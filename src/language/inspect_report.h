#pragma once

#include <vector>

#include "base/heat_map.h"
#include "base/html.h"
#include "base/json.h"
#include "base/plot.h"
#include "base/table.h"
#include "language/inspect.h"
#include "language/run_folder.h"

/// What inspect() found as tables, pictures, JSON and a page.
namespace filigree::language {

/// A row for each layer: balance, specialisation, entropy and strengths.
Table layer_table(const Inspection& inspection);

/// A row for each layer and domain: balance and the experts that are used most.
Table domain_table(const Inspection& inspection);

/// The divergence of every two domains.
Table distance_table(const Inspection& inspection);

Json to_json(const Inspection& inspection, const BalanceHistory& history = {});

/// Shares of the pairs over their even share: a row for each layer and domain, a column for each expert.
HeatMap use_map(const Inspection& inspection);

/// Which experts of a layer are used together.
HeatMap together_map(const Inspection& inspection, const LayerUse& layer);

/// Routed and shared strength over the layers.
Plot strength_plot(const Inspection& inspection);

/// Balance over the steps of a run. The history must not be empty.
Plot balance_plot(const BalanceHistory& history, const Inspection& inspection);

/// All of it as one page. Its pictures are drawn by gnuplot.
Html inspect_page(const Inspection& inspection, const BalanceHistory& history);

}  // namespace filigree::language
