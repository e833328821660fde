#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "nn/rotary.h"

namespace filigree::nn {

/// The published object `rope_scaling` (or `rope_parameters`, its newer name, whose rope_theta is left to the caller):
/// types default, linear, llama3 and yarn. `path` names it in messages, `positions` is max_position_embeddings.
///
/// yarn: cosines and sines are times attention_factor, or where that is not given m(mscale) / m(mscale_all_dim) with
/// m(x) = 0.1 x ln(factor) + 1, and scores of latent attention times m(mscale_all_dim)² (deepseek-ai/DeepSeek-V3:
/// inference/model.py, MLA). Absent, mscale is 1 and mscale_all_dim 0.
///
/// Error for other types, and for keys that the type does not have.
RotaryScaling read_rotary_scaling(const Json& json, std::int64_t positions, const std::string& where,
                                  const std::string& path);

/// How many positions the model then has.
std::int64_t scaled_positions(const RotaryScaling& scaling, std::int64_t positions);

}  // namespace filigree::nn
