#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// Configs are plain aggregates with one static `visit`, which names each field once, with its help and its bounds:
///
///     struct Tier {
///       double bandwidth_gb_s = 0;
///       double latency_us = 0;
///       template <class Self, class Visitor>
///       static void visit(Self& self, Visitor& v) {
///         v.required("bandwidth_gb_s", self.bandwidth_gb_s, "GB/s per device and direction", positive);
///         v.optional("latency_us", self.latency_us, "start-up time of one message, µs", non_negative);
///       }
///     };
///
/// From that visit come reading and writing JSON with strict keys (base/json.h), "key=value" overrides
/// (base/overrides.h) and the help text. (The idea is google/gemma.cpp: util/args.h.)
namespace filigree {

/// Closed interval, with an open lower end where `open_low` is set.
struct Bounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool open_low = false;

  bool contain(double value) const { return (open_low ? value > low : value >= low) && value <= high; }
};

inline constexpr Bounds any_value{};
inline constexpr Bounds positive{0.0, std::numeric_limits<double>::infinity(), true};
inline constexpr Bounds non_negative{0.0, std::numeric_limits<double>::infinity(), false};
inline constexpr Bounds fraction{0.0, 1.0, false};
inline constexpr Bounds positive_fraction{0.0, 1.0, true};
constexpr Bounds at_least(double low) { return {low, std::numeric_limits<double>::infinity(), false}; }
constexpr Bounds between(double low, double high) { return {low, high, false}; }

/// "greater than 0", "between 0 and 1", …
std::string describe(const Bounds& bounds);

/// Specialise for an enum that appears in configs:
///     template <> struct filigree::EnumNames<Schedule> {
///       static constexpr std::array<std::pair<Schedule, std::string_view>, 2> table{{{Schedule::gpipe, "gpipe"}, …}};
///     };
template <class Enum>
struct EnumNames;

template <class Enum>
std::string_view enum_name(Enum value) {
  for (const auto& [candidate, name] : EnumNames<Enum>::table) {
    if (candidate == value) return name;
  }
  return "?";
}

template <class Enum>
std::optional<Enum> enum_from_name(std::string_view name) {
  for (const auto& [candidate, text] : EnumNames<Enum>::table) {
    if (text == name) return candidate;
  }
  return std::nullopt;
}

template <class Enum>
std::vector<std::string> enum_all_names() {
  std::vector<std::string> names;
  names.reserve(EnumNames<Enum>::table.size());
  for (const auto& entry : EnumNames<Enum>::table) names.emplace_back(entry.second);
  return names;
}

namespace detail {
struct NullVisitor {
  template <class T>
  void required(std::string_view, T&, std::string_view, Bounds = any_value) {}
  template <class T>
  void optional(std::string_view, T&, std::string_view, Bounds = any_value) {}
};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_string_map : std::false_type {};
template <class T>
struct is_string_map<std::map<std::string, T>> : std::true_type {};
template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
}  // namespace detail

/// A plain aggregate with a static visit.
template <class T>
concept Config = requires(T& self, detail::NullVisitor& visitor) {
  T::visit(self, visitor);
};

}  // namespace filigree
