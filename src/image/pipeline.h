#pragma once

#include <functional>
#include <string>
#include <vector>

#include <c10/core/Device.h>

#include "base/png.h"
#include "base/progress.h"
#include "image/lora.h"
#include "image/memory_plan.h"
#include "spec/dit.h"
#include "spec/picture.h"

/// From settings to pictures: text to image, image to image, inpainting, and editing by instruction.
///
///     const auto resolved = image::resolve(settings);   // what is missing is filled in, what is wrong refused
///     const auto made = image::make_pictures(resolved, 1, {}, {});
///     write_png("a.png", made.pictures.front());
namespace filigree::image {

/// Settings with every value that the run needs, and what a user should know of them.
struct Resolved {
  spec::Picture settings;
  std::vector<std::string> notes;
  spec::Dit transformer;       ///< that makes the picture
  std::int64_t multiple = 16;  ///< of the sides: the pixels of a patch
};

/// Fills in what is not given: from the variant, the model folder and the input picture. Sizes are rounded to whole
/// patches, with a note. Error, in one sentence, for what is missing, unknown or does not go together.
Resolved resolve(const spec::Picture& wanted);

struct RunOptions {
  at::Device device = at::kCPU;
  bool stream = false;  ///< the transformer's blocks from the file when they are needed
};

struct RunHooks {
  ProgressSink* progress = nullptr;
  /// Gets what the latents show after each step, roughly.
  std::function<void(const Picture&)> preview = {};
  /// Gets what comes to light on the way, at once: words that were cut off.
  std::function<void(const std::string&)> note = {};
};

struct Made {
  std::vector<Picture> pictures;   ///< each with its own settings as texts
  std::vector<std::string> notes;  ///< those of the settings, and those that came on the way
  bool complete = true;            ///< false where the work was cancelled: there are no pictures then
};

/// Makes so many pictures in one batch; picture k has the seed of the settings plus k, as if it had been made alone.
/// Networks are loaded, used and freed one after another.
Made make_pictures(const Resolved& resolved, std::int64_t images, const RunOptions& options, const RunHooks& hooks);

/// What make_pictures will hold where. Error where a file cannot be read.
MemoryPlan plan_run(const Resolved& resolved, std::int64_t images, const RunOptions& options);

/// "file" or "file:strength", such as "style.safetensors:0.8".
std::vector<LoraFile> parse_loras(const std::vector<std::string>& words);

/// Height and width near `height` × `width`, with multiples of `multiple` and at most `area` pixels, as E1.1 chooses them
/// (HiDream-ai/HiDream-E1: inference_e1_1.py).
std::pair<std::int64_t, std::int64_t> fit_size(std::int64_t height, std::int64_t width, std::int64_t area,
                                               std::int64_t multiple);

}  // namespace filigree::image
