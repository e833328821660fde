#include "language/chat_data.h"

#include <algorithm>
#include <map>
#include <numeric>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/json.h"
#include "base/lines.h"
#include "base/text.h"

namespace filigree::language {
namespace {

constexpr std::int64_t kIgnored = -100;  // of cross_entropy

const std::string& text_of(const Json& value, const std::string& where, std::string_view name) {
  if (!value.is_string()) fail("{}: {} must be a text", where, name);
  return value.get_ref<const std::string&>();
}

std::vector<text::Message> read_messages(const Json& list, const std::string& where) {
  if (!list.is_array() || list.empty()) fail("{}: messages must be a list of at least one message", where);
  std::vector<text::Message> messages;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string name = fmt::format("messages[{}]", i);
    if (!list[i].is_object() || !list[i].contains("role") || !list[i].contains("content")) {
      fail("{}: {} must be an object with role and content", where, name);
    }
    text::Message message;
    try {
      message.role = text::role_from_name(text_of(list[i]["role"], where, name + ".role"));
    } catch (const Error& error) {
      fail("{}: {}: {}", where, name, error.what());
    }
    message.content = text_of(list[i]["content"], where, name + ".content");
    if (i > 0 && message.role == text::Role::system) {
      fail("{}: {} is a system message; only the first one may be", where, name);
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

Dialogue read_line(std::string_view line, const std::string& where) {
  if (const auto at = first_invalid_utf8(line)) fail("{}: byte {} is not UTF-8", where, *at);
  const Json json = parse_json(line, where);
  if (!json.is_object()) fail("{}: must be a JSON object", where);
  const bool messages = json.contains("messages"), prompt = json.contains("prompt");
  if (messages == prompt) fail("{}: needs either messages, or prompt with response", where);
  Dialogue dialogue;
  if (messages) {
    dialogue.messages = read_messages(json["messages"], where);
  } else {
    dialogue.messages.push_back({text::Role::user, text_of(json["prompt"], where, "prompt")});
    if (json.contains("response")) {
      dialogue.messages.push_back({text::Role::assistant, text_of(json["response"], where, "response")});
    }
  }
  if (json.contains("answer")) dialogue.answer = text_of(json["answer"], where, "answer");
  return dialogue;
}

bool is_assistant(const text::Message& message) { return message.role == text::Role::assistant; }

std::vector<Dialogue> read_file_of(const std::filesystem::path& path, bool answered) {
  std::vector<Dialogue> out;
  for (const auto& [line, where, ended] : read_lines(path)) {
    Dialogue dialogue = read_line(line, where);
    const std::vector<text::Message>& messages = dialogue.messages;
    if (answered && std::none_of(messages.begin(), messages.end(), is_assistant)) {
      fail("{}: the assistant says nothing, so there is nothing to learn; add a response or an assistant message",
           where);
    }
    if (!answered && is_assistant(messages.back())) {
      fail("{}: ends with the assistant's answer; a prompt ends before it", where);
    }
    out.push_back(std::move(dialogue));
  }
  if (out.empty()) fail("{}: holds no conversation; expected one JSON object a line", path.string());
  return out;
}

}  // namespace

std::vector<Dialogue> read_dialogues(const std::filesystem::path& path) { return read_file_of(path, true); }

std::vector<Dialogue> read_prompts(const std::filesystem::path& path) { return read_file_of(path, false); }

ChatFormat::ChatFormat(text::Tokenizer tokenizer, const std::string& name) : tokenizer_(std::move(tokenizer)) {
  if (name == "none") {
    if (!tokenizer_.named().eos) {
      fail("{}: has no eos token, which ends an answer where no chat template does", tokenizer_.origin());
    }
  } else if (!name.empty()) {
    chat_ = text::chat_template(name);
  } else {
    chat_ = tokenizer_.chat_template().empty() ? text::chat_template("plain") : text::chat_template_of(tokenizer_);
  }
}

text::ChatIds ChatFormat::encode(const std::vector<text::Message>& messages) const {
  if (chat_) return text::chat_ids(tokenizer_, *chat_, messages);
  text::ChatIds out;
  out.ids = tokenizer_.before();
  out.assistant.assign(out.ids.size(), false);
  for (const text::Message& message : messages) {
    const std::vector<text::TokenId> ids =
        tokenizer_.encode(message.content, {.add_special = false, .specials = text::Specials::as_text});
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    if (is_assistant(message)) out.ids.push_back(*tokenizer_.named().eos);
    out.assistant.resize(out.ids.size(), is_assistant(message));
  }
  return out;
}

std::vector<std::int64_t> ChatFormat::encode_prompt(const std::vector<text::Message>& messages) const {
  const text::ChatIds ids = chat_ ? text::chat_ids(tokenizer_, *chat_, messages, {.prompt = true}) : encode(messages);
  return {ids.ids.begin(), ids.ids.end()};
}

std::vector<std::int64_t> ChatFormat::stop_ids() const {
  std::vector<std::int64_t> ids;
  if (tokenizer_.named().eos) ids.push_back(*tokenizer_.named().eos);
  if (!chat_ || chat_->end_token().empty()) return ids;
  const auto end = tokenizer_.find(chat_->end_token());
  if (end && std::find(ids.begin(), ids.end(), *end) == ids.end()) ids.push_back(*end);
  return ids;
}

std::string ChatFormat::answer_text(const std::vector<std::int64_t>& ids) const {
  std::vector<text::TokenId> tokens;
  for (const std::int64_t id : ids) {
    if (tokenizer_.contains(id))
      tokens.push_back(static_cast<text::TokenId>(id));  // models may have ids that mean nothing
  }
  return std::string(text::trim(tokenizer_.decode(tokens)));
}

Pass make_pass(const Model& model, const ChatBatch& batch) {
  const std::int64_t tokens = batch.ids_BT.size(1);
  const at::Tensor place_T = at::arange(tokens, batch.ids_BT.options());
  const at::Tensor earlier_TS = place_T.unsqueeze(0) <= place_T.unsqueeze(1);
  const at::Tensor same_BTS = batch.part_BT.unsqueeze(1) == batch.part_BT.unsqueeze(2);
  Pass pass;
  pass.allowed_B1TS = same_BTS.logical_and(earlier_TS.unsqueeze(0)).unsqueeze(1);
  pass.angles = model.angles(batch.position_BT);
  return pass;
}

ChatData::ChatData(const ChatFormat& format, const std::vector<Dialogue>& dialogues, std::int64_t length,
                   std::int64_t vocabulary)
    : length_(length) {
  FILIGREE_ASSERT(length >= 2);
  for (std::size_t i = 0; i < dialogues.size(); ++i) {
    text::ChatIds encoded = format.encode(dialogues[i].messages);
    for (const text::TokenId id : encoded.ids) {
      if (id < vocabulary) continue;
      fail(
          "conversation {}: the token '{}' has the id {}, which is not within the model's 0 … {}; is this its "
          "tokenizer?",
          i + 1, format.tokenizer().piece(id), id, vocabulary - 1);
    }
    const auto whole = static_cast<std::int64_t>(encoded.ids.size());
    const auto kept = static_cast<std::size_t>(std::min(whole, length_));
    encoded.ids.resize(kept);
    encoded.assistant.resize(kept);
    // The first token is no target: nothing stands before it.
    const auto learned = kept == 0 ? 0 : std::count(encoded.assistant.begin() + 1, encoded.assistant.end(), true);
    if (learned == 0) {
      ++dropped_;
      continue;
    }
    if (whole > length_) ++cut_;
    learned_ += learned;
    tokens_ += static_cast<std::int64_t>(kept);
    samples_.push_back({{encoded.ids.begin(), encoded.ids.end()}, std::move(encoded.assistant)});
  }
  if (samples_.empty()) {
    fail("none of {} conversations has a word of the assistant within its first {} tokens; choose longer rows",
         dialogues.size(), length_);
  }
  pack();
}

void ChatData::pack() {
  std::vector<std::size_t> order(samples_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto size = [&](std::size_t i) { return static_cast<std::int64_t>(samples_[i].ids.size()); };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return size(a) > size(b); });
  std::multimap<std::int64_t, std::size_t> open;  // room that is left, and the row
  for (const std::size_t sample : order) {
    const auto found = open.lower_bound(size(sample));
    std::size_t row = rows_.size();
    std::int64_t room = length_;
    if (found == open.end()) {
      rows_.emplace_back();
    } else {
      room = found->first;
      row = found->second;
      open.erase(found);
    }
    rows_[row].push_back(sample);
    if (room > size(sample)) open.emplace(room - size(sample), row);
  }
}

std::int64_t ChatData::num_learned(const std::vector<std::int64_t>& rows) const {
  std::int64_t count = 0;
  for (const std::int64_t row : rows) {
    for (const std::size_t sample : rows_.at(static_cast<std::size_t>(row))) {
      const std::vector<bool>& assistant = samples_[sample].assistant;
      count += std::count(assistant.begin() + 1, assistant.end(), true);
    }
  }
  return count;
}

ChatBatch ChatData::batch(const std::vector<std::int64_t>& rows, at::Device device) const {
  const auto count = static_cast<std::int64_t>(rows.size());
  ChatBatch batch;
  batch.ids_BT = at::full({count, length_}, padding_, at::kLong);
  batch.target_BT = at::full({count, length_}, kIgnored, at::kLong);
  batch.second_BT = at::full({count, length_}, kIgnored, at::kLong);
  batch.position_BT = at::zeros({count, length_}, at::kLong);
  batch.part_BT = at::full({count, length_}, -1, at::kLong);
  for (std::int64_t b = 0; b < count; ++b) {
    FILIGREE_ASSERT(rows[static_cast<std::size_t>(b)] >= 0 && rows[static_cast<std::size_t>(b)] < num_rows());
    std::int64_t at = b * length_, part = 0;
    for (const std::size_t index : rows_[static_cast<std::size_t>(rows[static_cast<std::size_t>(b)])]) {
      const Sample& sample = samples_[index];
      for (std::size_t i = 0; i < sample.ids.size(); ++i, ++at) {
        batch.ids_BT.data_ptr<std::int64_t>()[at] = sample.ids[i];
        batch.position_BT.data_ptr<std::int64_t>()[at] = static_cast<std::int64_t>(i);
        batch.part_BT.data_ptr<std::int64_t>()[at] = part;
        if (i >= 1 && sample.assistant[i]) batch.target_BT.data_ptr<std::int64_t>()[at - 1] = sample.ids[i];
        if (i >= 2 && sample.assistant[i]) batch.second_BT.data_ptr<std::int64_t>()[at - 2] = sample.ids[i];
      }
      ++part;
    }
  }
  for (at::Tensor* tensor : {&batch.ids_BT, &batch.target_BT, &batch.second_BT, &batch.position_BT, &batch.part_BT}) {
    *tensor = tensor->to(device);
  }
  return batch;
}

std::string ChatData::summary() const {
  const double full = 100 * static_cast<double>(tokens_) / static_cast<double>(num_rows() * length_);
  std::string text = fmt::format("{} conversations in {} rows of {} tokens, {:.0f} % full; {} of {} tokens are learned",
                                 text::with_thousands(num_samples()), text::with_thousands(num_rows()), length_, full,
                                 text::with_thousands(learned_), text::with_thousands(tokens_));
  if (cut_ > 0) text += fmt::format("; {} were cut at {} tokens", text::with_thousands(cut_), length_);
  if (dropped_ > 0) {
    text += fmt::format("; {} were left out, as the assistant speaks too late in them", text::with_thousands(dropped_));
  }
  return text;
}

}  // namespace filigree::language
