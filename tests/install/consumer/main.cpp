#include <exception>
#include <iostream>

#include "base/error.h"
#include "base/text.h"

#ifdef CONSUMER_HAS_TENSOR
bool tensors_go_through_a_file();
#else
static bool tensors_go_through_a_file() { return true; }
#endif

int main() {
  try {
    throw filigree::Error("the consumer sees the library's error");
  } catch (const std::exception& error) {
    std::cout << error.what() << '\n';
  }
  return filigree::text::join({"a", "b"}, "-") == "a-b" && tensors_go_through_a_file() ? 0 : 1;
}
