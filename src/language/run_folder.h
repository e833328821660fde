#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

/// Folders of training runs: {resolved.json, metrics.jsonl, checkpoints/…}, seen from those who want their model.
namespace filigree::language {

/// The folder of a model: the path itself if it has a config.json, else path/model, else path/checkpoints/N/model with the
/// highest number N. Error where there is none of them.
std::filesystem::path model_folder(const std::filesystem::path& path);

/// Whether the path is the folder of a run rather than of a model.
bool is_run_folder(const std::filesystem::path& path);

/// How unevenly the experts were loaded while a run trained.
struct BalanceHistory {
  std::vector<std::int64_t> steps;
  std::vector<std::vector<double>> variation;  ///< at each step, one number for each layer with experts
};

/// From the lines of metrics.jsonl that hold "step" and the list "expert_load_variation"; empty where none does or the file
/// is missing. Where a step was done twice, as after a resumption, its last line counts; a last line that is cut is left
/// out. Error for other lines that cannot be read.
BalanceHistory balance_history(const std::filesystem::path& run);

}  // namespace filigree::language
