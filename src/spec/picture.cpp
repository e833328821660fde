#include "spec/picture.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"

namespace filigree::spec {
namespace {

/// Our scheduler names and those that web UIs show.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kSamplers{{
    {"euler", "Euler"},
    {"heun", "Heun"},
    {"unipc", "UniPC"},
    {"flow-unipc", "Flow UniPC"},
    {"dpm++", "DPM++ 2M"},
    {"lcm", "LCM"},
    {"flash", "Flash"},
}};

std::string sampler_name(const std::string& scheduler) {
  for (const auto& [name, shown] : kSamplers) {
    if (name == scheduler) return std::string(shown);
  }
  return scheduler;
}

std::optional<std::string> scheduler_name(const std::string& sampler) {
  for (const auto& [name, shown] : kSamplers) {
    if (text::lower(shown) == text::lower(sampler) || name == sampler) return std::string(name);
  }
  return std::nullopt;
}

/// A value with a comma, a colon or a quote stands in quotes, as JSON has them.
std::string quoted(const std::string& value) {
  return value.find_first_of(",:\"\n") == std::string::npos ? value : Json(value).dump();
}

/// The last part of a path.
std::string stem(const std::string& path) {
  const std::filesystem::path clean = std::filesystem::path(path).lexically_normal();
  return clean.filename().empty() ? clean.parent_path().filename().string() : clean.filename().string();
}

class Settings {
 public:
  void add(const std::string& key, const std::string& value) {
    if (!text_.empty()) text_ += ", ";
    text_ += key + ": " + quoted(value);
  }
  template <class T>
  void add(const std::string& key, const std::optional<T>& value) {
    if (!value) return;
    if constexpr (std::is_same_v<T, std::string>) {
      add(key, *value);
    } else {
      add(key, fmt::format("{}", *value));
    }
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// "Key: value" pairs with commas between, values perhaps in quotes.
std::vector<std::pair<std::string, std::string>> read_pairs(std::string_view line) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!line.empty()) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) break;
    const std::string key(text::trim(line.substr(0, colon)));
    line = text::trim(line.substr(colon + 1));
    std::size_t end = line.find(',');
    std::string value;
    if (line.starts_with('"')) {
      std::size_t close = 1;
      while (close < line.size() && line[close] != '"') close += line[close] == '\\' ? 2 : 1;
      close = std::min(close + 1, line.size());
      const Json parsed = Json::parse(line.substr(0, close), nullptr, false);
      value = parsed.is_string() ? parsed.get<std::string>() : std::string(line.substr(0, close));
      end = line.find(',', close);
    } else {
      value = std::string(text::trim(line.substr(0, end)));
    }
    pairs.emplace_back(key, value);
    line = end == std::string_view::npos ? std::string_view() : line.substr(end + 1);
  }
  return pairs;
}

/// Reads one pair into the settings; what is not understood stays out.
void read_pair(Picture& settings, const std::string& key, const std::string& value) {
  const auto whole = [&](std::optional<std::int64_t>& out, std::int64_t least) {
    if (const auto number = text::parse_int(value); number && *number >= least) out = *number;
  };
  const auto number = [&](std::optional<double>& out) {
    if (const auto read = text::parse_double(value); read && *read >= 0) out = *read;
  };
  if (key == "Steps") whole(settings.steps, 1);
  if (key == "Seed") whole(settings.seed, 0);
  if (key == "CFG scale") number(settings.guidance);
  if (key == "Image CFG scale") number(settings.image_guidance);
  if (key == "Sampler") settings.scheduler = scheduler_name(value);
  if (key == "Denoising strength") {
    number(settings.strength);
    if (settings.strength && (*settings.strength <= 0 || *settings.strength > 1)) settings.strength.reset();
  }
  if (key == "Shift") {
    number(settings.shift);
    if (settings.shift && *settings.shift <= 0) settings.shift.reset();
  }
  if (key == "Size") {
    const std::size_t cross = value.find('x');
    if (cross == std::string::npos) return;
    const auto width = text::parse_int(value.substr(0, cross)), height = text::parse_int(value.substr(cross + 1));
    if (!width || !height || *width < 1 || *height < 1) return;
    settings.width = *width;
    settings.height = *height;
  }
}

}  // namespace

Picture merge(const Picture& base, const Picture& wanted) {
  Json json = to_json(base);
  const Json over = to_json(wanted);
  for (const auto& [key, value] : over.items()) {
    if (key == "loras" && value.empty()) continue;
    json[key] = value;
  }
  return from_json<Picture>(json, "settings");
}

std::string parameters_text(const Picture& p) {
  Settings settings;
  settings.add("Steps", p.steps);
  if (p.scheduler) settings.add("Sampler", sampler_name(*p.scheduler));
  settings.add("CFG scale", p.guidance);
  settings.add("Seed", p.seed);
  if (p.width && p.height) settings.add("Size", fmt::format("{}x{}", *p.width, *p.height));
  if (p.model) settings.add("Model", stem(*p.model));
  settings.add("Shift", p.shift);
  if (p.input && !p.edit_transformer) settings.add("Denoising strength", p.strength);
  settings.add("Image CFG scale", p.image_guidance);
  settings.add("Refine", p.refine);
  settings.add("Version", std::string("filigree"));
  std::string text = p.prompt.value_or("");
  if (p.negative && !p.negative->empty()) text += "\nNegative prompt: " + *p.negative;
  return text + "\n" + settings.text();
}

Picture parse_parameters(const std::string& words) {
  Picture settings;
  std::string text(text::trim(words));
  // The settings are the last line, where it has some of them; all before is prompt.
  const std::size_t line = text.rfind('\n');
  const std::string last = line == std::string::npos ? text : text.substr(line + 1);
  const auto pairs = read_pairs(last);
  if (pairs.size() >= 3) {
    for (const auto& [key, value] : pairs) read_pair(settings, key, value);
    text = line == std::string::npos ? "" : text.substr(0, line);
  }
  const std::string mark = "Negative prompt:";
  std::size_t negative = text.starts_with(mark) ? 0 : text.find("\n" + mark);
  if (negative != std::string::npos) {
    const std::size_t begin = text.find(mark, negative) + mark.size();
    settings.negative = std::string(text::trim(text.substr(begin)));
    text.resize(negative);
  }
  settings.prompt = std::string(text::trim(text));
  return settings;
}

std::vector<std::pair<std::string, std::string>> picture_texts(const Picture& settings) {
  return {{"parameters", parameters_text(settings)}, {"filigree", to_json(settings).dump()}};
}

std::optional<Picture> settings_from_texts(const std::vector<std::pair<std::string, std::string>>& texts,
                                           const std::string& where) {
  for (const auto& [key, value] : texts) {
    if (key == "filigree") return from_json<Picture>(parse_json(value, where + ": text 'filigree'"), where);
  }
  for (const auto& [key, value] : texts) {
    if (key == "parameters") return parse_parameters(value);
  }
  return std::nullopt;
}

}  // namespace filigree::spec
