#pragma once

#include <cstdint>
#include <string>

#include "base/visit.h"

/// How unevenly a router loads its experts.
namespace filigree::spec {

enum class LoadKind {
  balanced,   ///< every expert gets the same
  uniform,    ///< every token draws its experts at random: what balance losses can reach at best
  zipf,       ///< popularity of the r-th expert ~ r^-parameter, order drawn by layer
  dirichlet,  ///< popularity drawn by layer from a symmetric Dirichlet(parameter): small is uneven
  trace       ///< measured counts per layer and expert
};

struct Load {
  LoadKind kind = LoadKind::balanced;
  double parameter = 0;       ///< of zipf and dirichlet
  std::string trace;          ///< CSV with columns step, layer, expert, tokens
  std::int64_t samples = 64;  ///< Monte Carlo draws
  std::int64_t seed = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("kind", self.kind, "balanced, uniform, zipf, dirichlet or trace");
    v.optional("parameter", self.parameter, "exponent of zipf, concentration of dirichlet", non_negative);
    v.optional("trace", self.trace, "CSV file: step, layer, expert, tokens");
    v.optional("samples", self.samples, "Monte Carlo draws", between(1, 100000));
    v.optional("seed", self.seed, "seed of the draws", non_negative);
  }
};

}  // namespace filigree::spec

template <>
struct filigree::EnumNames<filigree::spec::LoadKind> {
  using E = filigree::spec::LoadKind;
  static constexpr std::array<std::pair<E, std::string_view>, 5> table{{{E::balanced, "balanced"},
                                                                        {E::uniform, "uniform"},
                                                                        {E::zipf, "zipf"},
                                                                        {E::dirichlet, "dirichlet"},
                                                                        {E::trace, "trace"}}};
};
