#pragma once

#include <cstdint>
#include <vector>

#include "spec/layout.h"
#include "spec/model.h"

/// What follows from a layout: its group sizes, its batch and how layers fall on pipeline chunks.
namespace filigree::spec {

/// Fills what the layout leaves open (0): `devices` from the argument, else tp·cp·pp·dp; `dp` = devices / (tp·cp·pp);
/// `gbs` = one micro-batch a chunk and replica, that is mbs·dp·pp·vpp. 1F1B with vpp > 1 becomes interleaved.
/// `devices` 0: what the layout says. Error where the layout and the argument disagree or the devices do not divide.
Layout complete(Layout layout, std::int64_t devices = 0);

/// Ranks over which the routed experts of one layer are spread: ep, or tp·ep with tp_extends_ep.
std::int64_t expert_ranks(const Layout& layout);

/// Copies of every expert, over which its gradients are reduced: tp·cp·dp / (expert_ranks · etp). Of a complete layout.
std::int64_t expert_data_parallel(const Layout& layout);

/// Micro-batches in one step of one replica: gbs / (dp·mbs). Of a complete layout.
std::int64_t micro_batches(const Layout& layout);

/// Layers that are dealt out to the pipeline: those of the model, the empty ones, and the multi-token-prediction modules,
/// in this order.
std::int64_t pipeline_layers(const Layout& layout, const Model& model);

/// Layers of every chunk in model order (chunk c stands on stage c mod pp, or as the schedule says), pp·vpp numbers:
/// `stages` where given; else as even as can be, with the short chunks at the ends, which also hold the embedding and the
/// head: 10 layers on 4 chunks are 2, 3, 3, 2.
std::vector<std::int64_t> chunk_layers(const Layout& layout, const Model& model);

/// a·b·…, at most the largest int64.
std::int64_t saturating_product(std::initializer_list<std::int64_t> factors);

}  // namespace filigree::spec
