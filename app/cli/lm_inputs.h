#pragma once

#include <optional>
#include <string>

#include "frame.h"
#include "language/model.h"
#include "text/tokenizer.h"

/// What the commands of `lm` read from the command line, in one place.
namespace filigree::cli {

struct ModelInputs {
  std::string model, device = "cpu", dtype;
  int threads = 0;
};

/// Adds --model, --device, --dtype and --threads.
void add_model_inputs(CLI::App& command, ModelInputs& inputs);

/// Adds --device, --dtype and --threads alone.
void add_placement(CLI::App& command, ModelInputs& inputs);

/// The model, on the device and in the type that were asked for (by default float32 on the CPU, bfloat16 on a GPU).
/// Says on stderr where the BLAS is slow.
language::Model read_model(const ModelInputs& inputs);

/// The folder's tokenizer. Error that tells of --prompt-ids where it has none.
text::Tokenizer read_tokenizer(const ModelInputs& inputs);

}  // namespace filigree::cli
