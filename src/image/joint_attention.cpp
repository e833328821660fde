#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "image/dit_block.h"
#include "image/joint_attention_fused.h"

/// Attention in which every query sees every key.
namespace filigree::image {
namespace {

constexpr std::int64_t kScores = 16'000'000;  // numbers of scores held at once

at::Tensor softmax_product(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& bias_S) {
  at::Tensor score = at::matmul(q, k.transpose(-1, -2)).to(at::kFloat);
  score = score * (1 / std::sqrt(static_cast<double>(q.size(-1))));
  if (bias_S.defined()) score = score + bias_S;
  return at::matmul(at::softmax(score, -1).to(v.scalar_type()), v);
}

}  // namespace

at::Tensor attend_all_plain(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& bias_S) {
  const std::int64_t rows = q.size(2);
  const std::int64_t piece = std::max<std::int64_t>(1, kScores / (q.size(0) * q.size(1) * k.size(2)));
  if (c10::GradMode::is_enabled() || piece >= rows) return softmax_product(q, k, v, bias_S);
  at::Tensor out = at::empty({q.size(0), q.size(1), rows, v.size(3)}, v.options());
  for (std::int64_t from = 0; from < rows; from += piece) {
    const std::int64_t count = std::min(piece, rows - from);
    out.narrow(2, from, count).copy_(softmax_product(q.narrow(2, from, count), k, v, bias_S));
  }
  return out;
}

at::Tensor attend_all(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& bias_S) {
  const at::Tensor fused = attend_all_fused(q, k, v, bias_S);
  return fused.defined() ? fused : attend_all_plain(q, k, v, bias_S);
}

}  // namespace filigree::image
