#include "dynamics/short_number.h"

#include <cmath>

#include <fmt/format.h>

namespace filigree::dynamics {

std::string short_number(double value) {
  if (!std::isfinite(value)) return "diverged";
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size < 1e-3 || size >= 1e6) return fmt::format("{:.1e}", value);
  if (size >= 100) return fmt::format("{:.0f}", value);
  if (size >= 10) return fmt::format("{:.1f}", value);
  return fmt::format("{:.3g}", value);
}

}  // namespace filigree::dynamics
