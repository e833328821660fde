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

}  // namespace filigree::cli
