#include "text/chat.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace filigree::text {
namespace {

constexpr std::array<std::string_view, 4> kRoles = {"system", "user", "assistant", "tool"};
constexpr std::array<std::string_view, 4> kLlamaRoles = {"system", "user", "assistant", "ipython"};
constexpr std::array<std::string_view, 4> kPanguRoles = {"系统", "用户", "助手", "工具"};
constexpr std::array<std::string_view, 4> kPlainRoles = {"System", "User", "Assistant", "Tool"};

std::string named(const std::array<std::string_view, 4>& names, Role role) {
  return std::string(names[static_cast<std::size_t>(role)]);
}

/// Collects the parts of a conversation.
class Writer {
 public:
  void control(const std::string& token, bool assistant = false) { parts.push_back({token, true, assistant}); }
  void letters(const std::string& text, bool assistant = false) {
    if (!text.empty()) parts.push_back({text, false, assistant});
  }
  std::vector<ChatPart> parts;
};

void chatml(Writer& out, const std::vector<Message>& messages, bool prompt) {
  for (const Message& message : messages) {
    const bool assistant = message.role == Role::assistant;
    out.control("<|im_start|>");
    out.letters(named(kRoles, message.role) + "\n");
    out.letters(message.content, assistant);
    out.control("<|im_end|>", assistant);
    out.letters("\n");
  }
  if (!prompt) return;
  out.control("<|im_start|>");
  out.letters("assistant\n");
}

void llama3(Writer& out, const std::vector<Message>& messages, bool prompt) {
  const auto head = [&](Role role) {
    out.control("<|start_header_id|>");
    out.letters(named(kLlamaRoles, role));
    out.control("<|end_header_id|>");
    out.letters("\n\n");
  };
  out.control("<|begin_of_text|>");
  for (const Message& message : messages) {
    const bool assistant = message.role == Role::assistant;
    head(message.role);
    out.letters(strip_white_space(message.content, true, true), assistant);
    out.control("<|eot_id|>", assistant);
  }
  if (prompt) head(Role::assistant);
}

void pangu(Writer& out, const std::vector<Message>& messages, bool prompt) {
  const auto head = [&](Role role) {
    out.control("[unused9]");
    out.letters(named(kPanguRoles, role) + "：");
  };
  if (messages.empty() || messages.front().role != Role::system) {
    head(Role::system);
    out.control("[unused10]");
  }
  for (const Message& message : messages) {
    const bool assistant = message.role == Role::assistant;
    head(message.role);
    out.letters(message.content, assistant);
    out.control("[unused10]", assistant);
  }
  if (prompt) head(Role::assistant);
}

void plain(Writer& out, const std::vector<Message>& messages, bool prompt, const std::string& eos) {
  for (const Message& message : messages) {
    const bool assistant = message.role == Role::assistant;
    out.letters(named(kPlainRoles, message.role) + ":");
    out.letters(" " + message.content, assistant);
    if (assistant && !eos.empty()) out.control(eos, true);
    out.letters("\n");
  }
  if (prompt) out.letters("Assistant:");
}

TokenId control_token(const Tokenizer& tokenizer, const ChatTemplate& chat, const std::string& name) {
  const auto id = tokenizer.find(name);
  if (!id) {
    fail("the chat template '{}' needs the token '{}', which {} lacks; choose another template", chat.name(), name,
         tokenizer.origin());
  }
  if (!tokenizer.is_special(*id)) {
    fail(
        "{}: the token '{}' of the chat template '{}' is not marked as special, so that any user could write it; set "
        "\"special\": true",
        tokenizer.origin(), name, chat.name());
  }
  return *id;
}

}  // namespace

std::string_view role_name(Role role) { return kRoles[static_cast<std::size_t>(role)]; }

Role role_from_name(std::string_view name) {
  const auto* const found = std::find(kRoles.begin(), kRoles.end(), name);
  if (found == kRoles.end()) {
    const std::vector<std::string> known(kRoles.begin(), kRoles.end());
    fail("no role is called '{}'{} (one of: {})", name, did_you_mean(name, known), join(known, ", "));
  }
  return static_cast<Role>(found - kRoles.begin());
}

std::string ChatTemplate::end_token() const {
  if (name_ == "chatml") return "<|im_end|>";
  if (name_ == "llama3") return "<|eot_id|>";
  return name_ == "pangu" ? "[unused10]" : "";
}

std::vector<ChatPart> ChatTemplate::render(const Tokenizer& tokenizer, const std::vector<Message>& messages,
                                           const ChatOptions& options) const {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    check_utf8(messages[i].content, fmt::format("message {}", i));
    if (i > 0 && messages[i].role == Role::system) {
      fail("message {} is a system message; only the first one may be", i);
    }
  }
  const NamedTokens& named_tokens = tokenizer.named();
  Writer out;
  if (name_ == "llama3") {
    llama3(out, messages, options.prompt);
    return out.parts;
  }
  // Where the tokenizer puts bos before a text, it stands before a conversation too.
  const bool bos = named_tokens.bos && std::find(tokenizer.before().begin(), tokenizer.before().end(),
                                                 *named_tokens.bos) != tokenizer.before().end();
  if (bos) out.control(tokenizer.piece(*named_tokens.bos));
  if (name_ == "chatml") {
    chatml(out, messages, options.prompt);
  } else if (name_ == "pangu") {
    pangu(out, messages, options.prompt);
  } else {
    plain(out, messages, options.prompt, named_tokens.eos ? tokenizer.piece(*named_tokens.eos) : "");
  }
  return out.parts;
}

std::vector<std::string> chat_template_names() { return {"chatml", "llama3", "pangu", "plain"}; }

ChatTemplate chat_template(const std::string& name) {
  const std::vector<std::string> names = chat_template_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    fail("no chat template is called '{}'{} (there are: {})", name, did_you_mean(name, names), join(names, ", "));
  }
  return ChatTemplate(name);
}

std::optional<std::string> recognise_chat_template(std::string_view jinja) {
  const auto has = [&](std::string_view part) { return jinja.find(part) != std::string_view::npos; };
  if (has("<|start_header_id|>") && has("<|end_header_id|>") && has("<|eot_id|>")) return "llama3";
  if (has("[unused9]") && has("[unused10]") && has("用户")) return "pangu";
  if (has("<|im_start|>") && has("<|im_end|>")) return "chatml";
  return std::nullopt;
}

ChatTemplate chat_template_of(const Tokenizer& tokenizer) {
  const std::string names = join(chat_template_names(), ", ");
  if (tokenizer.chat_template().empty()) {
    fail("{}: has no chat template; choose one (there are: {})", tokenizer.origin(), names);
  }
  const auto name = recognise_chat_template(tokenizer.chat_template());
  if (!name) {
    fail("{}: its chat template is none of those that are built in; choose one (there are: {})", tokenizer.origin(),
         names);
  }
  return ChatTemplate(*name);
}

std::string chat_text(const Tokenizer& tokenizer, const ChatTemplate& chat, const std::vector<Message>& messages,
                      const ChatOptions& options) {
  std::string text;
  for (const ChatPart& part : chat.render(tokenizer, messages, options)) text += part.text;
  return text;
}

ChatIds chat_ids(const Tokenizer& tokenizer, const ChatTemplate& chat, const std::vector<Message>& messages,
                 const ChatOptions& options) {
  constexpr EncodeOptions kLetters{.add_special = false, .specials = Specials::as_text};
  const std::vector<ChatPart> parts = chat.render(tokenizer, messages, options);
  ChatIds out;
  for (std::size_t i = 0; i < parts.size();) {
    const bool assistant = parts[i].assistant;
    if (parts[i].control) {
      out.ids.push_back(control_token(tokenizer, chat, parts[i++].text));
    } else {
      std::string run;
      for (; i < parts.size() && !parts[i].control && parts[i].assistant == assistant; ++i) run += parts[i].text;
      const std::vector<TokenId> ids = tokenizer.encode(run, kLetters);
      out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    }
    out.assistant.resize(out.ids.size(), assistant);
  }
  return out;
}

}  // namespace filigree::text
