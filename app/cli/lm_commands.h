#pragma once

#include "frame.h"

/// Commands of filigree-torch; filigree itself lists them and starts it.
namespace filigree::cli {

CommandText lm_chat_text();
CommandText lm_demo_text();
CommandText lm_generate_text();
CommandText lm_grpo_text();
CommandText lm_inspect_text();
CommandText lm_logits_text();
CommandText lm_sft_text();
CommandText lm_train_text();

void setup_lm_chat(CLI::App& lm);
void setup_lm_demo(CLI::App& lm);
void setup_lm_generate(CLI::App& lm);
void setup_lm_grpo(CLI::App& lm);
void setup_lm_inspect(CLI::App& lm);
void setup_lm_logits(CLI::App& lm);
void setup_lm_sft(CLI::App& lm);
void setup_lm_train(CLI::App& lm);

}  // namespace filigree::cli
