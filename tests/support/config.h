#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/visit.h"

/// A config with every kind of field, for the tests of reading, writing and overriding.
namespace filigree::test {

enum class Colour { blue, dark_red };

struct Brush {
  int width = 0;
  std::string hair = "pig";
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("width", self.width, "mm", at_least(1));
    v.optional("hair", self.hair, "where from");
  }
  bool operator==(const Brush&) const = default;
};

struct Paint {
  std::string name;
  Colour colour = Colour::blue;
  double share = 0.5;
  bool glossy = false;
  std::int64_t drops = 7;
  std::optional<double> heat;
  std::vector<int> coats;
  std::map<std::string, double> parts;
  std::vector<Brush> brushes;
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("name", self.name, "what it is called");
    v.required("colour", self.colour, "its colour");
    v.optional("share", self.share, "of the pot", fraction);
    v.optional("glossy", self.glossy, "shines");
    v.optional("drops", self.drops, "how many", non_negative);
    v.optional("heat", self.heat, "°C", positive);
    v.optional("coats", self.coats, "layers of each", at_least(1));
    v.optional("parts", self.parts, "by name");
    v.optional("brushes", self.brushes, "to use");
  }
  bool operator==(const Paint&) const = default;
};

}  // namespace filigree::test

template <>
struct filigree::EnumNames<filigree::test::Colour> {
  static constexpr std::array<std::pair<filigree::test::Colour, std::string_view>, 2> table{
      {{filigree::test::Colour::blue, "blue"}, {filigree::test::Colour::dark_red, "dark-red"}}};
};
