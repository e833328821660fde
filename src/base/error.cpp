#include "base/error.h"

namespace filigree::detail {

void assertion_failed(const char* condition, const char* file, int line) {
  throw std::logic_error(
      fmt::format("internal error: {} does not hold at {}:{}; please report it", condition, file, line));
}

}  // namespace filigree::detail
