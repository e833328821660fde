#pragma once

#include "plan/stages.h"

/// A lower bound on the time of a step that holds for many layouts at once, so that a search may leave them all out.
namespace filigree::plan {

/// Seconds that one micro-batch keeps a device busy, summed over all layers, embedding, head and multi-token prediction,
/// forward and backward, recomputation included; expert exchanges, sends, waits for the host and for swapped tensors left
/// out.
double compute_seconds(const LayerContext& context, const LayerRuns& runs);

/// No layout with the context's degrees and settings, whatever its pipeline, split, schedule, ZeRO stage, offloading and
/// load, has a shorter step by the closed form:
///
///   1. Work is only dealt out: the stages' work for one micro-batch adds up to C = compute_seconds, so that the fullest of
///      pp stages has at least C / pp. An uneven load makes it more.
///   2. A stage takes at least its work for each of m micro-batches: what is hidden is exchange and sends, never work.
///      So step >= m·C / pp + overhead.
///   3. m / pp = gbs / (dp·mbs·pp) = gbs·tp·cp / (devices·mbs): the same number for every pp.
double step_bound(const LayerContext& context, const LayerRuns& runs, double overhead_s);

}  // namespace filigree::plan
