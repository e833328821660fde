#include "image_inputs.h"

#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include "base/progress.h"
#include "base/text.h"
#include "tensor/device.h"

namespace filigree::cli {
namespace {

/// "1024x768" as width and height.
void read_size(const std::string& words, spec::Picture& settings) {
  const std::vector<std::string> parts = text::split(words, 'x');
  std::optional<std::int64_t> width, height;
  if (parts.size() == 2) {
    width = text::parse_int(parts[0]);
    height = text::parse_int(parts[1]);
  }
  if (!width || !height || *width < 1 || *height < 1) {
    throw UsageError(fmt::format("--size: '{}' is no size; expected such as 1024x768", words));
  }
  settings.width = width;
  settings.height = height;
}

spec::Picture read_settings(const ImageInputs& inputs, const std::string& task) {
  spec::Picture settings = inputs.settings;
  settings.task = task;
  if (!inputs.size.empty()) read_size(inputs.size, settings);
  if (settings.dtype) from_words([&] { return tensor::parse_dtype(*settings.dtype); });
  if (inputs.from.empty()) return settings;
  const auto base = spec::settings_from_texts(read_picture_texts(inputs.from), inputs.from);
  if (!base) fail("{}: carries no settings to repeat", inputs.from);
  if (base->task && *base->task != task) {
    fail("{}: was made by 'image {}', so that 'image {}' cannot repeat it", inputs.from, *base->task, task);
  }
  return spec::merge(*base, settings);
}

/// "fox.png" for one picture; "fox-1.png", "fox-2.png", … for several.
std::string file_name(const std::string& output, std::size_t i, std::size_t count) {
  if (count == 1) return output;
  const std::filesystem::path path = output;
  const std::string name = fmt::format("{}-{}{}", path.stem().string(), i + 1, path.extension().string());
  return (path.parent_path() / name).string();
}

void check_file(const std::string& flag, const std::string& file) {
  if (!text::lower(file).ends_with(".png")) {
    throw UsageError(fmt::format("{} takes a name that ends in .png, not '{}'", flag, file));
  }
}

void report(const ImageInputs& inputs, const image::Made& made, double seconds) {
  Json json = {{"files", Json::array()}, {"seconds", seconds}, {"notes", made.notes}};
  for (std::size_t i = 0; i < made.pictures.size(); ++i) {
    const std::string file = file_name(inputs.output, i, made.pictures.size());
    write_png(file, made.pictures[i]);
    if (!inputs.json) report_written(file);
    const auto settings = spec::settings_from_texts(made.pictures[i].texts, file);
    json["files"].push_back({{"file", file}, {"settings", to_json(*settings)}});
  }
  if (inputs.json) emit({}, json);
}

void add_texts(CLI::App& command, spec::Picture& p) {
  add_optional(command, "--negative", p.negative, "what the picture should not be")->type_name("TEXT");
  const auto add = [&](const std::string& flag, std::optional<std::string>& value, const std::string& encoder) {
    add_optional(command, flag, value, "another text for " + encoder)->type_name("TEXT")->group("Texts of one encoder");
  };
  add("--prompt-clip-l", p.prompt_clip_l, "CLIP-L");
  add("--prompt-clip-g", p.prompt_clip_g, "CLIP-G");
  add("--prompt-t5", p.prompt_t5, "T5");
  add("--prompt-llama", p.prompt_llama, "Llama");
  add("--negative-clip-l", p.negative_clip_l, "CLIP-L");
  add("--negative-clip-g", p.negative_clip_g, "CLIP-G");
  add("--negative-t5", p.negative_t5, "T5");
  add("--negative-llama", p.negative_llama, "Llama");
}

void add_sampling(CLI::App& command, ImageInputs& inputs) {
  spec::Picture& p = inputs.settings;
  command.add_option("--size", inputs.size, "width x height; multiples of 16")->type_name("WxH");
  add_optional(command, "--variant", p.variant, "published steps, guidance, scheduler and shift: full, dev, fast")
      ->type_name("NAME");
  add_optional(command, "--steps", p.steps, "of the scheduler")->check(whole_number(1, 1000))->type_name("N");
  add_optional(command, "--guidance", p.guidance, "weight of the text; up to 1: none, in half the time")
      ->check(CLI::NonNegativeNumber)
      ->type_name("X");
  add_optional(command, "--scheduler", p.scheduler, "euler, heun, unipc, flow-unipc, dpm++, lcm, flash")
      ->type_name("NAME");
  add_optional(command, "--shift", p.shift, "above 1 more steps are spent in noise")
      ->check(CLI::PositiveNumber)
      ->type_name("X");
  add_optional(command, "--second-shift", p.second_shift, "flow-unipc alone: of its second pass")
      ->check(CLI::PositiveNumber)
      ->type_name("X");
  add_optional(command, "--seed", p.seed, "of the noise; the same seed gives the same picture")
      ->check(whole_number(0, std::int64_t{1} << 53))
      ->type_name("N");
  command.add_option("--images", inputs.images, "so many in one batch, with seeds that count up")
      ->check(whole_number(1, 1024))
      ->type_name("N");
  add_optional(command, "--max-tokens", p.max_tokens, "of each text; published: 128")
      ->check(whole_number(2, 4096))
      ->type_name("N");
  add_optional(command, "--padding", p.padding, "of sizes that are not square: reference or none")->type_name("NAME");
}

}  // namespace

void add_image_inputs(CLI::App& command, ImageInputs& inputs) {
  spec::Picture& p = inputs.settings;
  add_optional(command, "--model", p.model, "a published pipeline folder")->type_name("DIR");
  add_optional(command, "--llama", p.llama, "the folder of Llama 3.1, the fourth text encoder")->type_name("DIR");
  add_optional(command, "--transformer", p.transformer, "another transformer: a folder or a single file")
      ->type_name("PATH");
  add_texts(command, p);
  add_sampling(command, inputs);
  command.add_option("-o,--output", inputs.output, "the picture")->required()->type_name("FILE.png");
  command.add_option("--preview", inputs.preview, "a rough picture of each step, which stays after Ctrl-C")
      ->type_name("FILE.png");
  command.add_option("--from", inputs.from, "take the settings of this picture; other options change them")
      ->type_name("FILE.png");
  command.add_option("--device", inputs.device, "cpu, cuda or cuda:1")->type_name("NAME")->capture_default_str();
  add_optional(command, "--dtype", p.dtype, "float32, bfloat16 or float16; by default float32 on cpu, bfloat16 on cuda")
      ->type_name("NAME");
  command.add_option("--lora", p.loras, "add the changes of this file, with a strength; may be given several times")
      ->allow_extra_args(false)
      ->type_name("FILE[:X]");
  command.add_flag("--stream", inputs.stream, "bring the transformer's blocks from the file one by one");
  add_threads(command, inputs.threads);
  command.add_flag("--json", inputs.json, "print JSON, for scripts");
}

void run_image(const ImageInputs& inputs, const std::string& task) {
  check_file("--output", inputs.output);
  if (!inputs.preview.empty()) check_file("--preview", inputs.preview);
  const image::Resolved resolved = image::resolve(read_settings(inputs, task));
  image::RunOptions options;
  options.device = from_words([&] { return tensor::parse_device(inputs.device); });
  options.stream = inputs.stream;
  tensor::use_threads(inputs.threads);
  if (options.device.is_cpu()) {
    if (const auto warning = tensor::blas_warning()) fmt::print(stderr, "{}\n", *warning);
  }
  if (!inputs.json) {
    fmt::print(stderr, "{}\n", image::plan_run(resolved, inputs.images, options).table().text());
  }
  TerminalProgress progress(stderr);
  const auto show = [](const std::string& note) { fmt::print(stderr, "note: {}\n", note); };
  for (const std::string& note : resolved.notes) show(note);
  image::RunHooks hooks{&progress, {}, show};
  bool previewed = false;
  if (!inputs.preview.empty()) {
    hooks.preview = [&](const Picture& picture) {
      write_png(inputs.preview, picture);
      previewed = true;
    };
  }
  const auto begin = std::chrono::steady_clock::now();
  const image::Made made = image::make_pictures(resolved, inputs.images, options, hooks);
  if (!made.complete) {
    fmt::print(stderr, "stopped before the picture was done{}\n",
               previewed ? "; the last preview is " + inputs.preview : std::string());
    return;
  }
  report(inputs, made, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
}

}  // namespace filigree::cli
