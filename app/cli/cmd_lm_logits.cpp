#include <memory>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "lm_commands.h"
#include "lm_inputs.h"
#include "tensor/safetensors.h"

namespace filigree::cli {
namespace {

struct Options {
  ModelInputs model;
  std::string ids, output;
};

/// The tokens of the file: its only tensor, or the one called ids.
at::Tensor read_ids(const std::string& path) {
  const tensor::SafeTensors file = tensor::SafeTensors::open(path);
  const std::string name = file.names().size() == 1 ? file.names().front() : "ids";
  at::Tensor ids = file.get(name);
  if (ids.dim() == 1) ids = ids.unsqueeze(0);
  if (!at::isIntegralType(ids.scalar_type(), false) || ids.dim() != 2 || ids.numel() == 0) {
    fail("{}: {} must hold whole numbers of shape (batch, tokens)", path, name);
  }
  return ids.to(at::kLong);
}

void run(const Options& options) {
  const at::Tensor ids = read_ids(options.ids);
  const language::Model model = read_model(options.model);
  const std::int64_t vocabulary = model.config().model.vocabulary;
  if (ids.min().item<std::int64_t>() < 0 || ids.max().item<std::int64_t>() >= vocabulary) {
    fail("{}: a token is not within 0 … {}", options.ids, vocabulary - 1);
  }
  const c10::NoGradGuard no_grad;
  const at::Tensor on_device = ids.to(model.device());
  const language::Output out = model.forward(on_device);
  tensor::NamedTensors tensors{{"logits", out.logits_BTV.cpu()}, {"hidden", out.hidden_BTD.cpu()}};
  const std::int64_t before_last = ids.size(1) - 1;
  if (model.has_predictor() && before_last > 0) {
    const at::Tensor second =
        model.predict(on_device.narrow(1, 1, before_last), out.hidden_BTD.narrow(1, 0, before_last));
    tensors.emplace_back("mtp_logits", second.cpu());
  }
  tensor::save(options.output, tensors);
  report_written(options.output);
}

}  // namespace

void setup_lm_logits(CLI::App& lm) {
  CLI::App* command = add_command(lm, lm_logits_text());
  const auto options = std::make_shared<Options>();
  add_model_inputs(*command, options->model);
  command
      ->add_option("--ids", options->ids, "safetensors with the tokens (batch, tokens): one tensor, or one called ids")
      ->required()
      ->type_name("FILE");
  command
      ->add_option(
          "-o,--output", options->output,
          "safetensors for logits (batch, tokens, vocabulary), hidden, and mtp_logits where the model has them")
      ->required()
      ->type_name("FILE");
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
