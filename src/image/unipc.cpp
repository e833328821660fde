#include "image/unipc.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

namespace filigree::image {
namespace {

double lambda(double sigma) { return std::log1p(-sigma) - std::log(sigma); }

}  // namespace

struct UniPc::Update {
  double ratio, whole, part;  ///< σ'/σ, −α' φ1, −α' B
  double earlier;             ///< r1 = (λ of the step before − λ) / h; 0 for first order
  double b1, b2;              ///< right-hand sides of the order conditions
};

/// With h = λ' − λ, written for the data-predicting form (−h): φ1 = e^{−h} − 1, B = φ1, φ2 = φ1/(−h) − 1,
/// φ3 = φ2/(−h) − 1/2; b1 = φ2 / B, b2 = 2 φ3 / B.
UniPc::Update UniPc::update(std::size_t from, std::size_t to, std::int64_t order) const {
  const double width = sigma(to) > 0 ? lambda(sigma(to)) - lambda(sigma(from)) : INFINITY;
  const double phi1 = std::expm1(-width), phi2 = phi1 / -width - 1, phi3 = phi2 / -width - 0.5;
  const double alpha = 1 - sigma(to);
  const double earlier = order > 1 ? (lambda(sigma(from - 1)) - lambda(sigma(from))) / width : 0;
  return {sigma(to) / sigma(from), -alpha * phi1, -alpha * phi1, earlier, phi2 / phi1, 2 * phi3 / phi1};
}

/// The corrector over the step before, of the order that its predictor had: the conditions Σ ρ r^(k−1) = b_k for the
/// points r1 (where there is one) and 1.
at::Tensor UniPc::correct(std::size_t i, const at::Tensor& data) const {
  const Update u = update(i - 1, i, order_);
  const at::Tensor& m0 = data_.back();
  at::Tensor led;
  if (order_ == 1) {
    led = 0.5 * (data - m0);
  } else {
    const double rho = (u.b1 - u.b2) / (1 - u.earlier);  // ρ + ρ' = b1, ρ r1 + ρ' = b2
    led = rho * (data_[0] - m0) / u.earlier + (u.b1 - rho) * (data - m0);
  }
  return u.ratio * before_ + u.whole * m0 + u.part * led;
}

at::Tensor UniPc::predict(std::size_t i, const at::Tensor& x, std::int64_t order) const {
  const Update u = update(i, i + 1, order);
  const at::Tensor& m0 = data_.back();
  at::Tensor next = u.ratio * x + u.whole * m0;
  if (order == 2) next = next + u.part * 0.5 * (data_[0] - m0) / u.earlier;
  return next;
}

at::Tensor UniPc::step(std::size_t i, const at::Tensor& x, const Velocity& velocity, const Noise&) {
  const at::Tensor v = velocity(x, i);
  if (!v.defined()) return v;
  const at::Tensor data = x - sigma(i) * v;
  const at::Tensor corrected = before_.defined() ? correct(i, data) : x;
  data_.push_back(data);
  if (data_.size() > 2) data_.erase(data_.begin());
  const auto left = static_cast<std::int64_t>(steps() - i), known = static_cast<std::int64_t>(data_.size());
  order_ = std::min({std::int64_t{2}, left, known});
  before_ = corrected;
  return predict(i, corrected, order_);
}

}  // namespace filigree::image
