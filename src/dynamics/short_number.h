#pragma once

#include <string>

namespace filigree::dynamics {

/// Three digits, as short as they go; "diverged" where it is not finite. For tables.
std::string short_number(double value);

}  // namespace filigree::dynamics
