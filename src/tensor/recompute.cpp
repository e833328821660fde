#include "tensor/recompute.h"

#include <memory>
#include <mutex>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/ThreadLocalState.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include "base/error.h"

namespace filigree::tensor {
namespace {

namespace autograd = torch::autograd;

/// Where the generators of the devices that a function may use stand.
class RandomState {
 public:
  explicit RandomState(const std::vector<at::Tensor>& inputs) {
    add(at::kCPU);
    for (const at::Tensor& input : inputs) {
      if (input.defined() && input.device().is_cuda()) add(input.device());
    }
  }

  /// The same generators, as they stand now.
  RandomState now() const {
    RandomState state = *this;
    for (auto& [generator, value] : state.states_) value = read(generator);
    return state;
  }

  void restore() const {
    for (const auto& [generator, value] : states_) {
      at::Generator shared = generator;
      const std::lock_guard<std::mutex> lock(shared.mutex());
      shared.set_state(value);
    }
  }

 private:
  void add(at::Device device) {
    at::Generator generator = at::globalContext().defaultGenerator(device);
    for (const auto& known : states_) {
      if (known.first == generator) return;
    }
    states_.emplace_back(generator, read(generator));
  }

  static at::Tensor read(at::Generator generator) {
    const std::lock_guard<std::mutex> lock(generator.mutex());
    return generator.get_state();
  }

  std::vector<std::pair<at::Generator, at::Tensor>> states_;
};

/// Sets the generators back, and at its end forward again.
class RandomReplay {
 public:
  explicit RandomReplay(const RandomState& then) : now_(then.now()) { then.restore(); }
  RandomReplay(const RandomReplay&) = delete;
  RandomReplay& operator=(const RandomReplay&) = delete;
  ~RandomReplay() { now_.restore(); }

 private:
  RandomState now_;
};

/// The node of the graph that stands for all that the function does.
struct RecomputeNode : autograd::Node {
  explicit RecomputeNode(const std::vector<at::Tensor>& inputs) : random(inputs) {}

  autograd::variable_list apply(autograd::variable_list&& output_grads) override;
  void release_variables() override { saved.clear(); }
  std::string name() const override { return "Recompute"; }

  std::vector<at::Tensor> rerun(std::vector<at::Tensor>& inputs);

  Function function;
  std::vector<autograd::SavedVariable> saved;
  std::vector<bool> requires_grad;                ///< of the inputs
  std::vector<std::vector<std::int64_t>> shapes;  ///< of the outputs
  RandomState random;
  at::ThreadLocalState thread_state;  ///< autocast and the like, as they were
};

/// Runs the function on the saved inputs, which become leaves of a graph of their own.
std::vector<at::Tensor> RecomputeNode::rerun(std::vector<at::Tensor>& inputs) {
  for (std::size_t i = 0; i < saved.size(); ++i) {
    at::Tensor input = saved[i].unpack();
    if (input.defined()) input = input.detach().requires_grad_(requires_grad[i]);
    inputs.push_back(input);
  }
  const at::ThreadLocalStateGuard as_before(thread_state);
  const c10::AutoGradMode with_grad(true);
  const RandomReplay replay(random);
  std::vector<at::Tensor> outputs = function(inputs);
  if (outputs.size() != shapes.size()) {
    fail("recompute: the function gave {} outputs and, when it ran again, {}; it must do the same each time",
         shapes.size(), outputs.size());
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].defined() || outputs[i].sizes() != at::IntArrayRef(shapes[i])) {
      fail("recompute: output {} has another shape when the function runs again; it must do the same each time", i);
    }
  }
  return outputs;
}

autograd::variable_list RecomputeNode::apply(autograd::variable_list&& output_grads) {
  if (c10::GradMode::is_enabled()) {
    fail(
        "recompute: second derivatives (create_graph) are not supported; call the function itself where they are "
        "needed");
  }
  if (saved.size() != requires_grad.size()) {
    fail("recompute: its gradients were taken already; to take them twice, pass retain_graph the first time");
  }
  std::vector<at::Tensor> inputs;
  const std::vector<at::Tensor> outputs = rerun(inputs);
  autograd::variable_list roots, root_grads;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!output_grads[i].defined() || !outputs[i].requires_grad()) continue;
    roots.push_back(outputs[i]);
    root_grads.push_back(output_grads[i]);
  }
  autograd::variable_list grads(inputs.size());
  if (roots.empty()) return grads;
  // backward() also reaches the parameters that the function holds; under grad() they must stay as they are.
  if (autograd::Engine::get_default_engine().is_checkpoint_valid()) {
    autograd::backward(roots, root_grads);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (requires_grad[i]) grads[i] = inputs[i].grad();
    }
    return grads;
  }
  autograd::variable_list wanted;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!requires_grad[i] || !task_should_compute_output(i)) continue;
    wanted.push_back(inputs[i]);
    places.push_back(i);
  }
  if (wanted.empty()) return grads;
  const autograd::variable_list found = autograd::grad(roots, wanted, root_grads, {}, false, /*allow_unused=*/true);
  for (std::size_t k = 0; k < places.size(); ++k) grads[places[k]] = found[k];
  return grads;
}

}  // namespace

std::vector<at::Tensor> recompute(Function function, const std::vector<at::Tensor>& inputs) {
  if (!c10::GradMode::is_enabled()) return function(inputs);
  const std::shared_ptr<RecomputeNode> node(new RecomputeNode(inputs), autograd::deleteNode);
  autograd::edge_list edges;
  std::vector<at::Tensor> plain;
  for (const at::Tensor& input : inputs) {
    const bool needs = input.defined() && input.requires_grad();
    edges.push_back(needs ? autograd::impl::gradient_edge(input) : autograd::Edge());
    node->requires_grad.push_back(needs);
    node->saved.emplace_back(input, /*is_output=*/false);
    plain.push_back(input.defined() ? input.detach() : input);
  }
  node->set_next_edges(std::move(edges));
  std::vector<at::Tensor> outputs;
  {
    const c10::NoGradGuard no_grad;
    outputs = function(plain);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    at::Tensor& output = outputs[i];
    if (!output.defined()) fail("recompute: output {} of the function is undefined", i);
    node->shapes.push_back(output.sizes().vec());
    // A tensor of its own, so that one that the function keeps or gives twice stays out of this graph.
    output = output.detach();
    if (autograd::isDifferentiableType(output.scalar_type()))
      autograd::set_history(output, node);
    else
      node->add_input_metadata(autograd::Node::undefined_input());
  }
  node->function = std::move(function);
  return outputs;
}

at::Tensor recompute(std::function<at::Tensor(const at::Tensor&)> function, const at::Tensor& input) {
  const Function several = [one = std::move(function)](const std::vector<at::Tensor>& inputs) {
    return std::vector<at::Tensor>{one(inputs[0])};
  };
  return recompute(several, {input})[0];
}

}  // namespace filigree::tensor
