#include "lm_inputs.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "tensor/device.h"

namespace filigree::cli {

void add_model_inputs(CLI::App& command, ModelInputs& inputs) {
  command.add_option("--model", inputs.model, "a published folder: config.json, safetensors, tokenizer")
      ->required()
      ->type_name("DIR");
  add_placement(command, inputs);
}

void add_placement(CLI::App& command, ModelInputs& inputs) {
  command.add_option("--device", inputs.device, "cpu, cuda or cuda:1")->type_name("NAME")->capture_default_str();
  command
      .add_option("--dtype", inputs.dtype, "float32, bfloat16 or float16; by default float32 on cpu, bfloat16 on cuda")
      ->type_name("NAME");
  add_threads(command, inputs.threads);
}

language::Model read_model(const ModelInputs& inputs) {
  const at::Device device = from_words([&] { return tensor::parse_device(inputs.device); });
  const std::string dtype = !inputs.dtype.empty() ? inputs.dtype : device.is_cpu() ? "float32" : "bfloat16";
  const at::ScalarType type = from_words([&] { return tensor::parse_dtype(dtype); });
  tensor::use_threads(inputs.threads);
  if (device.is_cpu()) {
    if (const auto warning = tensor::blas_warning()) fmt::print(stderr, "{}\n", *warning);
  }
  return language::load_model(inputs.model, at::TensorOptions().dtype(type).device(device));
}

text::Tokenizer read_tokenizer(const ModelInputs& inputs) {
  try {
    return text::load_tokenizer(inputs.model);
  } catch (const Error& error) {
    fail("{} (a model without a tokenizer takes --prompt-ids)", error.what());
  }
}

}  // namespace filigree::cli
