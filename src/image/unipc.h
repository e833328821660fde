#pragma once

#include "image/scheduler.h"

namespace filigree::image {

/// UniPC of order 2 that predicts the data, with B(h) = exp(h) − 1 (the paper's "bh2"). Each step first corrects the
/// latents with the data seen there, then predicts the next ones. The first and the last step are of first order.
class UniPc : public Scheduler {
 public:
  using Scheduler::Scheduler;
  at::Tensor step(std::size_t i, const at::Tensor& x, const Velocity& velocity, const Noise& noise) override;

 private:
  /// What one update over [σ_from, σ_to] needs: x' = ratio x + whole m0 + part · (a combination of differences of data).
  struct Update;
  Update update(std::size_t from, std::size_t to, std::int64_t order) const;
  at::Tensor correct(std::size_t i, const at::Tensor& data) const;
  at::Tensor predict(std::size_t i, const at::Tensor& x, std::int64_t order) const;

  std::vector<at::Tensor> data_;  ///< of the last two steps, the newer one last
  at::Tensor before_;             ///< the latents that the last step began with, corrected
  std::int64_t order_ = 0;        ///< of the last step
};

}  // namespace filigree::image
