#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "image/autoencoder.h"
#include "image/dit.h"
#include "image/pipeline.h"
#include "image/scheduler.h"

/// Settings for a run from those that were given.
namespace filigree::image {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLongestSide = 16384;

template <class T>
void fill(std::optional<T>& value, T otherwise) {
  if (!value) value = std::move(otherwise);
}

void check_folder(const std::optional<std::string>& folder, const std::string& option, const std::string& what) {
  if (!folder || folder->empty()) fail("{} is missing: it names {}", option, what);
  if (!fs::is_directory(*folder)) fail("{}: is no folder; {} names {}", *folder, option, what);
}

/// A pipeline's folder stands for its transformer.
void find_transformer(std::optional<std::string>& place) {
  if (!place) return;
  if (!fs::exists(*place)) fail("{}: there is no such transformer", *place);
  const fs::path inner = fs::path(*place) / "transformer";
  if (!fs::exists(fs::path(*place) / "config.json") && fs::exists(inner / "config.json")) place = inner.string();
}

spec::Dit read_transformer(const fs::path& model, const std::optional<std::string>& own) {
  const fs::path place = own ? fs::path(*own) : model / "transformer";
  if (!fs::exists(place)) fail("{}: there is no such transformer", place.string());
  return read_dit_config(place.string());
}

AutoencoderConfig read_autoencoder(const fs::path& model) {
  const fs::path config = model / "vae" / "config.json";
  if (!fs::exists(config)) fail("{}: has no vae/config.json, which tells of the autoencoder", model.string());
  return autoencoder_from_json(load_json(config), config.string());
}

/// The published variant that a folder's scheduler stands for.
std::string variant_of(const SchedulerSettings& scheduler) {
  for (const Variant& variant : variants()) {
    if (scheduler.name != "lcm" && scheduler.name != "flash") break;
    if (variant.guidance <= 1 && variant.shift == scheduler.shift) return variant.name;
  }
  return "full";
}

void resolve_schedule(spec::Picture& p) {
  const fs::path config = fs::path(*p.model) / "scheduler" / "scheduler_config.json";
  if (!fs::exists(config)) fail("{}: has no scheduler/scheduler_config.json", *p.model);
  const SchedulerSettings own = scheduler_from_json(load_json(config), config.string());
  const Variant& variant = find_variant(p.variant.value_or(variant_of(own)));
  fill(p.scheduler, p.variant ? variant.scheduler : own.name);
  fill(p.shift, p.variant ? variant.shift : own.shift);
  p.variant = variant.name;
  fill(p.steps, variant.steps);
  fill(p.guidance, variant.guidance);
  make_scheduler({*p.scheduler, *p.steps, *p.shift, p.second_shift.value_or(0)});  // refuses what is wrong
}

struct Size {
  std::int64_t height, width;
};

/// Refuses absurd sides and rounds the others.
Size rounded(const Size& size, const Resolved& r, std::vector<std::string>& notes) {
  const std::int64_t m = r.multiple;
  if (std::min(size.height, size.width) < m || std::max(size.height, size.width) > kLongestSide) {
    fail("a picture of {}x{} pixels cannot be made; sides go from {} to {}", size.width, size.height, m, kLongestSide);
  }
  const auto near = [m](std::int64_t side) { return std::max(m, (side + m / 2) / m * m); };
  const Size whole{near(size.height), near(size.width)};
  if (whole.height != size.height || whole.width != size.width) {
    notes.push_back(fmt::format("sides are multiples of {}, so the picture is {}x{} instead of {}x{}", m, whole.width,
                                whole.height, size.width, size.height));
  }
  return whole;
}

/// Refuses sizes that the transformer cannot take. `pictures`: side by side in one pass.
void check_tokens(const Size& size, const Resolved& r, std::int64_t pictures) {
  const std::vector<std::int64_t>& most = r.transformer.max_resolution;
  const std::int64_t patch = r.transformer.patch_size, m = r.multiple;
  const std::int64_t tokens = size.height / m * (size.width / m);
  const bool pairs = pictures > 1 && most[1] > most[0];
  const std::int64_t room = most[0] * most[1] / (patch * patch) / (pairs ? 2 : 1);
  const std::int64_t pixels = static_cast<std::int64_t>(std::sqrt(static_cast<double>(room))) * m;
  const bool padded = *r.settings.padding == "reference" && (size.height != size.width || pictures > 1);
  // 4096x4096 pixels, or four times the sides that the model was made for.
  constexpr std::int64_t kMostTokens = 65536, kMostTimes = 16;
  if (tokens > (padded ? room : std::max(kMostTokens, room * kMostTimes))) {
    fail("a picture of {}x{} pixels is too large for this model, which was made for as many as {}x{}{}", size.width,
         size.height, pixels, pixels, padded ? "; --padding none takes more" : "");
  }
}

Size model_size(const Resolved& r) {
  const std::vector<std::int64_t>& most = r.transformer.max_resolution;
  const std::int64_t cell = r.multiple / r.transformer.patch_size;
  return {most[0] * cell, most[0] * cell};
}

/// Of the input picture, and checks the mask against it.
Size input_size(const spec::Picture& p) {
  const Picture input = read_picture(*p.input);
  if (p.mask) {
    const Picture mask = read_picture(*p.mask);
    if (mask.width != input.width || mask.height != input.height) {
      fail("{}: the mask has {}x{} pixels, but the input {} has {}x{}", *p.mask, mask.width, mask.height, *p.input,
           input.width, input.height);
    }
  }
  return {input.height, input.width};
}

void resolve_size(Resolved& r) {
  spec::Picture& p = r.settings;
  const bool edit = *p.task == "edit";
  if (p.width.has_value() != p.height.has_value()) fail("a size needs a width and a height");
  Size size = model_size(r);
  if (p.mask && !p.input) fail("a mask needs an input picture");
  if (p.input) {
    const Size own = input_size(p);
    const bool square = edit && r.transformer.max_resolution[1] > r.transformer.max_resolution[0];  // E1
    if (!square) {
      const auto [height, width] = fit_size(own.height, own.width, size.height * size.width, r.multiple);
      size = {height, width};
    }
  }
  if (p.width) size = rounded({*p.height, *p.width}, r, r.notes);
  check_tokens(size, r, edit ? 2 : 1);
  p.height = size.height;
  p.width = size.width;
}

/// Published settings of E1 and E1.1 (inference.py, inference_e1_1.py).
void resolve_edit(Resolved& r) {
  spec::Picture& p = r.settings;
  const bool first_edition = r.transformer.max_resolution[1] > r.transformer.max_resolution[0];
  constexpr std::int64_t kSteps = 28;
  constexpr double kRefine = 0.3;
  fill(p.steps, kSteps);
  fill(p.guidance, first_edition ? 5.0 : 3.0);
  fill(p.image_guidance, first_edition ? 4.0 : 1.5);
  fill(p.negative, std::string(first_edition ? "low resolution, blur" : "low quality, blurry, distorted"));
  fill(p.clip_norm, true);
  fill(p.refine, p.edit_transformer || !p.loras.empty() ? kRefine : 0.0);
  if (!p.input) fail("--input is missing: it names the picture to edit");
  if (p.mask || p.strength) fail("editing by instruction takes neither a mask nor a strength");
}

void resolve_rest(spec::Picture& p) {
  fill(p.negative, std::string());
  fill(p.seed, std::int64_t{0});
  constexpr std::int64_t kPublishedTokens = 128, kMostTokens = 4096;
  fill(p.max_tokens, kPublishedTokens);
  if (*p.max_tokens < 2 || *p.max_tokens > kMostTokens) {
    fail("{} tokens of a text cannot be read; expected 2 to {}", *p.max_tokens, kMostTokens);
  }
  fill(p.padding, std::string("reference"));
  if (*p.padding != "reference" && *p.padding != "none") {
    fail("there is no padding '{}' (known: reference, none)", *p.padding);
  }
  if (*p.task == "generate" && p.input) {
    fill(p.strength, 0.6);
    if (!(*p.strength > 0 && *p.strength <= 1)) fail("a strength of {} cannot be; it is above 0, up to 1", *p.strength);
  }
  if (p.strength && !p.input) fail("a strength needs an input picture");
}

}  // namespace

std::vector<LoraFile> parse_loras(const std::vector<std::string>& words) {
  std::vector<LoraFile> files;
  for (const std::string& word : words) {
    const std::size_t colon = word.rfind(':');
    const auto strength = colon == std::string::npos ? std::nullopt : text::parse_double(word.substr(colon + 1));
    files.push_back({strength ? word.substr(0, colon) : word, strength.value_or(1)});
    if (!fs::exists(files.back().path)) fail("{}: there is no such LoRA", files.back().path);
  }
  return files;
}

std::pair<std::int64_t, std::int64_t> fit_size(std::int64_t height, std::int64_t width, std::int64_t area,
                                               std::int64_t multiple) {
  const double scale =
      std::sqrt(static_cast<double>(area) / (static_cast<double>(height) * static_cast<double>(width)));
  const auto floors = [&](std::int64_t side) {
    const double scaled = static_cast<double>(side) * scale;
    return std::array{std::llround(scaled) / multiple * multiple, static_cast<long long>(scaled) / multiple * multiple};
  };
  std::pair<std::int64_t, std::int64_t> best{multiple, multiple};
  for (const long long h : floors(height)) {
    for (const long long w : floors(width)) {
      const std::int64_t rows = std::max<std::int64_t>(h, multiple), columns = std::max<std::int64_t>(w, multiple);
      if (rows * columns <= area && rows * columns > best.first * best.second) best = {rows, columns};
    }
  }
  return best;
}

Resolved resolve(const spec::Picture& wanted) {
  Resolved r{wanted, {}, {}};
  spec::Picture& p = r.settings;
  fill(p.task, std::string("generate"));
  if (*p.task != "generate" && *p.task != "edit") fail("there is no task '{}' (known: generate, edit)", *p.task);
  check_folder(p.model, "--model", "a published pipeline folder");
  check_folder(p.llama, "--llama", "the folder of Llama 3.1, the fourth text encoder, which comes apart");
  if (!p.prompt) fail("the text is missing: what the picture shows, or how to edit it");
  const bool edit = *p.task == "edit";
  find_transformer(p.transformer);
  find_transformer(p.edit_transformer);
  const std::optional<std::string>& place = edit && p.edit_transformer ? p.edit_transformer : p.transformer;
  if (!p.loras.empty()) {  // seen now rather than when the texts are encoded
    with_loras(open_dit_weights(place.value_or((fs::path(*p.model) / "transformer").string())), parse_loras(p.loras));
  }
  r.transformer = read_transformer(*p.model, place);
  if (r.transformer.max_resolution.size() != 2) fail("the transformer's max_resolution must be two numbers");
  r.multiple = read_autoencoder(*p.model).reduction() * r.transformer.patch_size;
  if (edit) resolve_edit(r);
  resolve_schedule(p);
  resolve_rest(p);
  resolve_size(r);
  return r;
}

}  // namespace filigree::image
