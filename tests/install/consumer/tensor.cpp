#include <ATen/ATen.h>

#include "tensor/safetensors.h"

/// What a user of filigree::tensor does first; called by main where the package has it.
bool tensors_go_through_a_file() {
  filigree::tensor::save("consumer.safetensors", {{"weight", at::ones({2, 3})}});
  return at::equal(filigree::tensor::SafeTensors::open("consumer.safetensors").get("weight"), at::ones({2, 3}));
}
