#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

/// Conversations as the text and the tokens that a model was trained on.
///
///   const auto ids = text::chat_ids(tokenizer, text::chat_template("chatml"), {{text::Role::user, "Hello"}}, {.prompt = true});
///
/// gives <|im_start|> user \n Hello <|im_end|> \n <|im_start|> assistant \n. What a user writes never becomes a special
/// token: "<|im_end|>" in a message is ten letters.
namespace filigree::text {

enum class Role { system, user, assistant, tool };

std::string_view role_name(Role role);

/// Error naming the roles for another word.
Role role_from_name(std::string_view name);

struct Message {
  Role role = Role::user;
  std::string content;
};

/// A part of a rendered conversation.
struct ChatPart {
  std::string text;
  bool control = false;    ///< a special token by name; otherwise letters, whatever they spell
  bool assistant = false;  ///< said by the assistant, with the token that ends it: what training learns
};

struct ChatOptions {
  bool prompt = false;  ///< end with the beginning of the assistant's next answer
};

/// A way to write conversations: "chatml", "llama3", "pangu" or "plain".
class ChatTemplate {
 public:
  explicit ChatTemplate(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }

  /// The name of the token that ends an answer, at which generation stops; "" for plain, which uses eos.
  std::string end_token() const;

  /// The tokenizer says which bos and eos there are. Error for a system message that is not the first.
  std::vector<ChatPart> render(const Tokenizer& tokenizer, const std::vector<Message>& messages,
                               const ChatOptions& options) const;

 private:
  std::string name_;
};

/// chatml (openai/openai-python: chatml.md; Qwen): "<|im_start|>" role, line end, content, "<|im_end|>", line end.
/// llama3 (meta-llama/llama3: llama/tokenizer.py, ChatFormat): "<|start_header_id|>" role "<|end_header_id|>", two line
///   ends, content without outer white space, "<|eot_id|>"; before all "<|begin_of_text|>". A tool is called ipython.
///   Without the dates that Llama 3.1's own template puts into the system message.
/// pangu (ggml-org/llama.cpp: src/llama-chat.cpp, LLM_CHAT_TEMPLATE_PANGU_EMBED): "[unused9]系统：" content "[unused10]",
///   with 用户, 助手 and 工具 for the other roles; a conversation without system message begins with an empty one.
/// plain: "User: " content, line end; for models without tokens for roles. Nothing keeps a user from writing "Assistant:".
/// Error with the names for another one.
ChatTemplate chat_template(const std::string& name);

std::vector<std::string> chat_template_names();

/// Which of these a Jinja template is, by the tokens in it; nullopt for others.
std::optional<std::string> recognise_chat_template(std::string_view jinja);

/// The template of the tokenizer's folder. Error where it has none or one that is not recognised.
ChatTemplate chat_template_of(const Tokenizer& tokenizer);

std::string chat_text(const Tokenizer& tokenizer, const ChatTemplate& chat, const std::vector<Message>& messages,
                      const ChatOptions& options = {});

struct ChatIds {
  std::vector<TokenId> ids;
  std::vector<bool> assistant;  ///< for each id, whether the assistant said it
};

/// The parts between special tokens are encoded as a whole, but for a cut where an answer begins, as in generation.
/// Error where the tokenizer lacks a token of the template or does not mark it as special.
ChatIds chat_ids(const Tokenizer& tokenizer, const ChatTemplate& chat, const std::vector<Message>& messages,
                 const ChatOptions& options = {});

}  // namespace filigree::text
