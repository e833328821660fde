#pragma once

#include <optional>

#include "moe/dispatch.h"
#include "moe/experts.h"
#include "nn/linear.h"
#include "spec/model.h"

namespace filigree::moe {

/// Router → dispatch → experts → combine, plus the shared expert, which sees every token.
struct Layer {
  Router router;
  Experts experts;
  std::optional<nn::SwiGlu> shared;
  DispatchOptions dispatch_options;

  /// `routing`: as router_options. Error for experts with biases or a gate on the shared one, which cannot be run.
  Layer(const spec::Experts& sizes, std::int64_t hidden, const RouterOptions& routing,
        const at::TensorOptions& options);

  struct Result {
    at::Tensor y_TD;
    at::Tensor shared_TD;  ///< the shared expert's part of it; undefined where there is none
    Routing routing;
    std::int64_t dropped = 0;  ///< (token, expert) pairs
  };
  Result operator()(const at::Tensor& x_TD) const;

  void list(nn::Parameters& out, const std::string& prefix);
};

/// The readable twin: expert by expert, token by token of it. Equal to operator() where nothing is dropped.
at::Tensor forward_by_loop(const Layer& layer, const at::Tensor& x_TD);

}  // namespace filigree::moe
