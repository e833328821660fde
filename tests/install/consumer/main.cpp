#include <exception>
#include <iostream>

#include "base/error.h"
#include "base/text.h"

int main() {
  try {
    throw filigree::Error("the consumer sees the library's error");
  } catch (const std::exception& error) {
    std::cout << error.what() << '\n';
  }
  return filigree::text::join({"a", "b"}, "-") == "a-b" ? 0 : 1;
}
