#pragma once

#include <cstdint>
#include <filesystem>

#include "base/json.h"
#include "train/adamw.h"

/// What a checkpoint holds beside the model: optimizer, place in the data, random state.
///
///     optimizer.safetensors   AdamW's tensors by the parameters' names
///     random.safetensors      state of the generators
///     state.json              step and what the task adds
namespace filigree::train {

struct RunState {
  std::int64_t step = 0;  ///< steps that are done
  Json task = Json::object();
};

void save_run_state(const std::filesystem::path& folder, const RunState& state, const AdamW& optimizer);

/// Restores optimizer and generators and gives the rest. Error where the folder's files are not of this optimizer.
RunState load_run_state(const std::filesystem::path& folder, AdamW& optimizer);

/// The step and task part alone.
RunState read_run_state(const std::filesystem::path& folder);

}  // namespace filigree::train
