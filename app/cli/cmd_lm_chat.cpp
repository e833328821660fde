#include <iostream>
#include <memory>

#include <fmt/format.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/text.h"
#include "language/chat.h"
#include "language/run_folder.h"
#include "lm_commands.h"
#include "lm_inputs.h"
#include "sampling_inputs.h"

namespace filigree::cli {
namespace {

struct Options {
  ModelInputs model;
  std::string tokenizer, chat_template, system;
  SamplingInputs sampling = {.max_new_tokens = 1024};
  bool json = false;
};

constexpr const char* kCommands = "/new begins again, /save FILE writes the conversation, /quit ends";

/// What a conversation on the terminal and one from a file share: a line is a turn or a command.
class Talk {
 public:
  Talk(language::Chat& chat, bool json, bool terminal) : chat_(chat), json_(json), terminal_(terminal) {}

  /// False to end.
  bool line(const std::string& words) {
    if (text::trim(words).empty()) return true;
    if (words.starts_with("//")) {
      answer(words.substr(1));
    } else if (words.starts_with("/")) {
      return command(std::string(text::trim(words)));
    } else {
      answer(words);
    }
    return true;
  }

 private:
  bool command(const std::string& words) {
    const std::size_t space = words.find(' ');
    const std::string name = words.substr(0, space);
    const std::string rest(space == std::string::npos ? "" : text::trim(words.substr(space)));
    if (name == "/quit" && rest.empty()) return false;
    if (name == "/new" && rest.empty()) {
      chat_.restart();
    } else if (name == "/save" && !rest.empty()) {
      write_file(rest, language::conversation_json(chat_.messages()).dump() + "\n");
      report_written(rest);
    } else {
      fail("there is no command '{}': {}; what begins with / to the model is written with //", words, kCommands);
    }
    return true;
  }

  void answer(const std::string& words) {
    const auto show = [&](const std::string& part) { emit({}, part); };
    const language::ChatAnswer answer =
        json_ ? chat_.say(words) : chat_.say(words, [&](const std::string& part) { show(part); });
    if (json_) return emit({}, as_json(answer).dump() + "\n");
    emit({}, std::string("\n"));
    if (!terminal_) return;
    if (answer.end == language::AnswerEnd::length) fmt::print(stderr, "(no room for more; see --max-new-tokens)\n");
    if (answer.end == language::AnswerEnd::cancelled) fmt::print(stderr, "(stopped)\n");
  }

  static Json as_json(const language::ChatAnswer& answer) {
    return {{"answer", answer.text},
            {"end", std::string(enum_name(answer.end))},
            {"ids", answer.ids},
            {"prompt_tokens", answer.prompt_tokens},
            {"reused_tokens", answer.reused_tokens},
            {"prefill_seconds", answer.prefill_seconds},
            {"decode_seconds", answer.decode_seconds}};
  }

  language::Chat& chat_;
  bool json_, terminal_;
};

/// On a terminal an error or Ctrl-C ends an answer; where lines come from a file, all.
void converse(language::Chat& chat, bool json) {
  const bool terminal = isatty(STDIN_FILENO) == 1;
  Talk talk(chat, json, terminal);
  if (terminal) fmt::print(stderr, "Ctrl-C stops an answer; {}.\n", kCommands);
  std::string words;
  while (true) {
    if (terminal) fmt::print(stderr, "> ");
    if (!std::getline(std::cin, words)) break;
    if (!terminal) {
      if (cancelled() || !talk.line(words)) return;
      continue;
    }
    reset_cancel();  // a Ctrl-C before this line
    try {
      if (!talk.line(words)) return;
    } catch (const Error& error) {
      fmt::print(stderr, "{}\n", error.what());
    }
    reset_cancel();
  }
  if (terminal) fmt::print(stderr, "\n");
}

language::ChatFormat read_format(const Options& options) {
  text::Tokenizer tokenizer = text::load_tokenizer(options.tokenizer.empty() ? options.model.model : options.tokenizer);
  if (options.chat_template.empty()) return {std::move(tokenizer), ""};
  return from_words([&] { return language::ChatFormat(std::move(tokenizer), options.chat_template); });
}

void run(Options options) {
  options.model.model = language::model_folder(options.model.model).string();
  language::ChatFormat format = read_format(options);
  const language::Model model = read_model(options.model);
  language::ChatSettings settings{
      .generate = generate_options(options.sampling), .stop = options.sampling.stop, .system = options.system};
  language::Chat chat(model, std::move(format), std::move(settings));
  converse(chat, options.json);
}

}  // namespace

void setup_lm_chat(CLI::App& lm) {
  CLI::App* command = add_command(lm, lm_chat_text());
  const auto options = std::make_shared<Options>();
  add_model_inputs(*command, options->model);
  command->add_option("--tokenizer", options->tokenizer, "folder of the tokenizer where the model's has none")
      ->type_name("DIR");
  command->add_option("--system", options->system, "how the model shall behave: the first message")->type_name("TEXT");
  command
      ->add_option("--template", options->chat_template,
                   "how turns are written: chatml, llama3, pangu, plain or none; by default as the tokenizer says")
      ->type_name("NAME");
  add_sampling_inputs(*command, options->sampling);
  command->add_flag("--json", options->json, "one JSON object for each answer, for scripts");
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
