#pragma once

#include "frame.h"

/// `filigree image` and the commands below it. Those that need LibTorch are in filigree-torch; filigree lists them.
namespace filigree::cli {

void setup_image(CLI::App& app);
void setup_image_torch(CLI::App& app);

void setup_image_info(CLI::App& image);
void setup_image_fetch_plan(CLI::App& image);

CommandText image_generate_text();
CommandText image_edit_text();
CommandText image_convert_text();
CommandText image_demo_text();
CommandText image_init_text();
void setup_image_convert(CLI::App& image);
void setup_image_demo(CLI::App& image);
void setup_image_init(CLI::App& image);
void setup_image_generate(CLI::App& image);
void setup_image_edit(CLI::App& image);

}  // namespace filigree::cli
