#pragma once

#include <functional>
#include <vector>

#include "tensor/function.h"

/// Activation checkpointing: less memory for one more forward pass (Chen et al., Training Deep Nets with Sublinear
/// Memory Cost, arXiv 1604.06174).
///
///     y = tensor::recompute([&](const at::Tensor& x) { return layer->forward(x); }, x);
namespace filigree::tensor {

/// What the function gives, without keeping what it saves for its gradients: the function runs again, on the same
/// inputs and random numbers, when the gradients are asked for. They are the same, bit for bit.
///
/// The inputs that gradients flow to are those in the list, and parameters that the function holds itself (as a module
/// does). A tensor that was computed from parameters must be in the list, not captured. Parameters held by the function
/// get their gradients through backward(); torch::autograd::grad() finds only the inputs in the list.
/// Outputs require gradients wherever gradients are recorded, also if no input does, since a parameter might.
/// Random numbers: of the CPU's generator, and of those GPUs that an input lies on. Uses may be nested; where gradients
/// are not recorded the function simply runs. The function is kept until the outputs are gone.
///
/// Error in backward where second derivatives are asked for, and where the function, run again, gives another number of
/// outputs or other shapes.
std::vector<at::Tensor> recompute(Function function, const std::vector<at::Tensor>& inputs);

/// The same for one tensor.
at::Tensor recompute(std::function<at::Tensor(const at::Tensor&)> function, const at::Tensor& input);

}  // namespace filigree::tensor
