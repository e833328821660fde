#include "lm_commands.h"

namespace filigree::cli {

CommandText lm_chat_text() {
  return {"chat", "Talk with a language model.", "filigree lm chat --model DIR --system \"Answer briefly.\""};
}

CommandText lm_demo_text() {
  return {"demo", "Train a small mixture of experts in a minute and show what it learned.",
          "filigree lm demo --output out/lm"};
}

CommandText lm_generate_text() {
  return {"generate", "Continue a prompt with a language model.",
          "filigree lm generate --model DIR --prompt \"Once upon a time\" --max-new-tokens 100"};
}

CommandText lm_grpo_text() {
  return {"grpo", "Reinforcement learning: a language model draws answers, and better ones become likelier.",
          "filigree lm grpo --model run --data prompts.jsonl --reward arithmetic --output learned"};
}

CommandText lm_inspect_text() {
  return {"inspect", "What the experts of a language model do on texts: use, specialisation, balance.",
          "filigree lm inspect DIR --text code.txt --text news.txt --output experts.html"};
}

CommandText lm_logits_text() {
  return {"logits", "The logits of a language model for given tokens, as safetensors.",
          "filigree lm logits --model DIR --ids ids.safetensors --output logits.safetensors"};
}

CommandText lm_sft_text() {
  return {"sft", "Supervised fine-tuning: a language model learns the answers of conversations.",
          "filigree lm sft --model run --data chats.jsonl --output tuned --learning-rate 0.0003"};
}

CommandText lm_train_text() {
  return {"train", "Train a language model on texts, from a recipe or on from a model.",
          "filigree lm train --model pangu-tiny --data texts/ --output run --steps 500 --learning-rate 0.003"};
}

}  // namespace filigree::cli
