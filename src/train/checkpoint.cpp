#include "train/checkpoint.h"

#include <mutex>

#include <ATen/ATen.h>
#include <ATen/Context.h>

#include "base/error.h"
#include "base/file.h"

namespace filigree::train {
namespace {

namespace fs = std::filesystem;

/// The generators of the CPU and, where the optimizer's tensors lie on one, of the GPU.
std::vector<std::pair<std::string, at::Generator>> generators(const AdamW& optimizer) {
  std::vector<std::pair<std::string, at::Generator>> all{{"cpu", at::globalContext().defaultGenerator(at::kCPU)}};
  const tensor::NamedTensors state = optimizer.state();
  if (!state.empty() && state.front().second.is_cuda()) {
    all.emplace_back("cuda", at::globalContext().defaultGenerator(state.front().second.device()));
  }
  return all;
}

}  // namespace

void save_run_state(const fs::path& folder, const RunState& state, const AdamW& optimizer) {
  tensor::save(folder / "optimizer.safetensors", optimizer.state());
  tensor::NamedTensors random;
  for (auto& [name, generator] : generators(optimizer)) {
    const std::lock_guard<std::mutex> lock(generator.mutex());
    random.emplace_back(name, generator.get_state());
  }
  tensor::save(folder / "random.safetensors", random);
  write_file(folder / "state.json", to_text({{"step", state.step}, {"task", state.task}}));
}

RunState read_run_state(const fs::path& folder) {
  const fs::path file = folder / "state.json";
  const Json json = load_json(file);
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer() || !json.contains("task")) {
    fail("{}: is not the state of a run; it needs 'step' and 'task'", file.string());
  }
  return {json["step"].get<std::int64_t>(), json["task"]};
}

RunState load_run_state(const fs::path& folder, AdamW& optimizer) {
  const RunState state = read_run_state(folder);
  optimizer.load_state(tensor::SafeTensors::open(folder / "optimizer.safetensors"));
  const tensor::SafeTensors random = tensor::SafeTensors::open(folder / "random.safetensors");
  for (auto& [name, generator] : generators(optimizer)) {
    if (!random.has(name)) continue;  // a run that goes on on another device draws anew there
    const std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(random.get(name).clone());
  }
  return state;
}

}  // namespace filigree::train
