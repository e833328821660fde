#include "image_commands.h"

namespace filigree::cli {

CommandText image_generate_text() {
  return {"generate", "Make a picture from a text, or from a text and a picture.",
          "filigree image generate --model HiDream-I1-Full --llama Llama-3.1-8B-Instruct --prompt \"a red fox in the "
          "snow\" --output fox.png"};
}

CommandText image_edit_text() {
  return {"edit", "Change a picture by an instruction.",
          "filigree image edit --model HiDream-I1-Full --edit-transformer HiDream-E1-1 --llama Llama-3.1-8B-Instruct "
          "--input fox.png --instruction \"make it night\" --output night.png"};
}

CommandText image_convert_text() {
  return {"convert", "Write a transformer's weights in another form, such as 4 bits.",
          "filigree image convert --input HiDream-I1-Full --form q4 --output i1-q4"};
}

CommandText image_demo_text() {
  return {"demo", "Make a picture with a small random model, through the whole pipeline.",
          "filigree image demo --output out/image"};
}

CommandText image_init_text() {
  return {"init", "Write a model with random weights, to try things with no download.",
          "filigree image init --recipe tiny --output tiny"};
}

}  // namespace filigree::cli
