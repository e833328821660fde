#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include <fmt/format.h>

/// How Filigree reports trouble. Bad input or data throws Error; an expected outcome is a return value; a mistake of
/// ours trips FILIGREE_ASSERT.
namespace filigree {

/// Bad input or data: one sentence that says what was wrong, where, and what to do.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Wrong usage of a command (exit code 2): an option that does not exist or a value that no option can have.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// Throws Error with a formatted message.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

namespace detail {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}  // namespace detail

}  // namespace filigree

/// Checks what only a mistake of ours can break; throws std::logic_error naming the place.
#define FILIGREE_ASSERT(condition) \
  ((condition) ? void(0) : ::filigree::detail::assertion_failed(#condition, __FILE__, __LINE__))
