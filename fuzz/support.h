#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"

/// What every fuzz target shares.
namespace filigree::fuzz {

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Readers may refuse their input with an Error; anything else that they throw ends the program, which is a finding.
template <class Read>
void refuse_or_read(Read read) {
  try {
    read();
  } catch (const Error&) {
  }
}

/// What must hold for all input; a finding where it does not.
inline void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace filigree::fuzz
