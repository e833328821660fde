#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <c10/core/ScalarType.h>

#include "base/table.h"
#include "spec/dit.h"

/// What will be held where, before anything is loaded.
namespace filigree::image {

enum class Holding {
  whole,           ///< all of it, converted to the type it runs in
  layer_by_layer,  ///< one layer of each kind at a time, brought from the file
};

struct PlannedPart {
  std::string name;  ///< for people
  std::string path;  ///< file or folder with its weights
  at::ScalarType dtype = at::kFloat;
  std::string device = "cpu";
  Holding holding = Holding::whole;
  int phase = 0;  ///< parts of one phase are held at the same time, those of different ones after another
  std::int64_t working_bytes = 0;  ///< held beside the weights
};

struct MemoryPlan {
  struct Row {
    PlannedPart part;
    std::string stored;  ///< the type most of its bytes are in
    std::int64_t numbers = 0, file_bytes = 0, held_bytes = 0;
  };
  std::vector<Row> rows;

  /// The most that is held on a device at any time, weights and working memory.
  std::int64_t peak(const std::string& device) const;
  Table table() const;
};

/// Reads the heads of all files. Error where one cannot be read.
MemoryPlan plan_memory(const std::vector<PlannedPart>& parts);

/// About what a step of the transformer holds beside its weights.
std::int64_t working_bytes(const spec::Dit& config, std::int64_t image_tokens, std::int64_t batch,
                           at::ScalarType dtype);

/// "34.2 GB", "512 MB"
std::string bytes_text(std::int64_t bytes);

}  // namespace filigree::image
