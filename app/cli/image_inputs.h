#pragma once

#include <optional>
#include <string>

#include "frame.h"
#include "image/pipeline.h"
#include "spec/picture.h"

/// What `image generate` and `image edit` share.
namespace filigree::cli {

struct ImageInputs {
  spec::Picture settings;
  std::string size, device = "cpu", output, preview, from;
  std::int64_t images = 1;
  int threads = 0;
  bool stream = false, json = false;
};

/// Adds an option whose value may be missing.
template <class T>
CLI::Option* add_optional(CLI::App& command, const std::string& flag, std::optional<T>& value,
                          const std::string& help) {
  return command.add_option_function<T>(
      flag, [&value](const T& given) { value = given; }, help);
}

/// The options of both commands.
void add_image_inputs(CLI::App& command, ImageInputs& inputs);

/// Makes the pictures and writes them. `task` is "generate" or "edit".
void run_image(const ImageInputs& inputs, const std::string& task);

}  // namespace filigree::cli
