#include "nn/rotary_scaling.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"

namespace filigree::nn {
namespace {

using Kind = RotaryScaling::Kind;

/// The object's fields as published; `kind` decides which there may be.
struct Published {
  Kind kind = Kind::none;
  RotaryScaling scaling;
  double original = 0;
  std::optional<double> attention_factor;
  double mscale = 1, mscale_all_dim = 0;

  template <class Visitor>
  void read(Visitor& v) {
    std::string type;
    double base = 0;
    v.optional("type", type, "");
    v.optional("rope_type", type, "");
    v.optional("rope_theta", base, "", positive);
    if (kind == Kind::none) return;
    v.required("factor", scaling.factor, "", at_least(1));
    if (kind == Kind::llama3) {
      v.required("original_max_position_embeddings", original, "", positive);
      v.required("low_freq_factor", scaling.low, "", positive);
      v.required("high_freq_factor", scaling.high, "", positive);
    } else if (kind == Kind::yarn) {
      v.optional("original_max_position_embeddings", original, "", positive);
      v.optional("beta_fast", scaling.beta_fast, "", positive);
      v.optional("beta_slow", scaling.beta_slow, "", positive);
      v.optional("mscale", mscale, "", non_negative);
      v.optional("mscale_all_dim", mscale_all_dim, "", non_negative);
      v.optional("attention_factor", attention_factor, "", positive);
      v.optional("truncate", scaling.whole_pairs, "");
    }
  }
};

Kind read_kind(const Json& json, const std::string& where, const std::string& path) {
  const char* key = json.contains("rope_type") ? "rope_type" : "type";
  if (!json.contains(key)) fail("{}: {} has no rope_type", where, path);
  std::string type;
  detail::read_value(json[key], type, any_value, where, detail::child_path(path, key));
  if (type == "default") return Kind::none;
  if (type == "linear") return Kind::linear;
  if (type == "llama3") return Kind::llama3;
  if (type == "yarn") return Kind::yarn;
  fail("{}: {} of type '{}' cannot be run; linear, llama3 and yarn can", where, path, type);
}

/// m(x) of the header.
double magnitude(double factor, double scale) { return 0.1 * scale * std::log(factor) + 1; }

}  // namespace

RotaryScaling read_rotary_scaling(const Json& json, std::int64_t positions, const std::string& where,
                                  const std::string& path) {
  if (!json.is_object()) detail::wrong_type(where, path, "an object", json);
  Published published;
  published.kind = published.scaling.kind = read_kind(json, where, path);
  detail::JsonReader reader(json, where, path);
  published.read(reader);
  reader.finish();
  RotaryScaling scaling = published.scaling;
  scaling.original_positions = published.original > 0 ? published.original : static_cast<double>(positions);
  if (scaling.kind == Kind::llama3 && scaling.high <= scaling.low) {
    fail("{}: {}.high_freq_factor must be above low_freq_factor", where, path);
  }
  if (scaling.kind != Kind::yarn) return scaling;
  if (scaling.original_positions <= 0) fail("{}: {} has no original_max_position_embeddings", where, path);
  if (scaling.beta_fast < scaling.beta_slow) fail("{}: {}.beta_fast must not be below beta_slow", where, path);
  const double of_all = magnitude(scaling.factor, published.mscale_all_dim);
  scaling.angle_factor = published.attention_factor.value_or(magnitude(scaling.factor, published.mscale) / of_all);
  scaling.latent_factor = of_all * of_all;
  return scaling;
}

std::int64_t scaled_positions(const RotaryScaling& scaling, std::int64_t positions) {
  if (scaling.kind == Kind::linear) return static_cast<std::int64_t>(scaling.factor * static_cast<double>(positions));
  if (scaling.kind != Kind::yarn) return positions;
  return std::max(positions, static_cast<std::int64_t>(scaling.factor * scaling.original_positions));
}

}  // namespace filigree::nn
