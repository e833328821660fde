#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/visit.h"
#include "dynamics/data.h"
#include "dynamics/expression.h"

namespace filigree::dynamics {

/// Which functions of state and control a model may combine: polynomials, then sines and cosines, then formulas.
struct LibraryOptions {
  int degree = 2;                        ///< of the polynomials; 0 leaves the constant alone
  bool constant = true;                  ///< whether 1 is a feature
  bool interactions = true;              ///< whether products of different variables are features
  int frequencies = 0;                   ///< sin(k x), cos(k x) of every variable for k = 1 … frequencies
  std::vector<std::string> custom = {};  ///< formulas in the variables, see Expression

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("degree", self.degree, "degree of the polynomials", between(0, 20));
    v.optional("constant", self.constant, "whether 1 is a feature");
    v.optional("interactions", self.interactions, "whether products of different variables are features");
    v.optional("frequencies", self.frequencies, "sin(k x) and cos(k x) for k = 1 ... frequencies", between(0, 100));
    v.optional("custom", self.custom, "formulas such as x*sin(y)");
  }
};

/// The features of LibraryOptions for given variables, states first and controls after them. Polynomials stand in the
/// order of dynamicslab/pysindy: feature_library/polynomial_library.py: 1, x0, x1, x0^2, x0 x1, x1^2, …; then
/// sin(1 x0), cos(1 x0), sin(1 x1), …, sin(2 x0), … (feature_library/fourier_library.py).
class Library {
 public:
  /// Error on formulas that do not parse, on no feature at all and on more than 20,000 features.
  Library(const LibraryOptions& options, const std::vector<std::string>& variables);

  Eigen::Index size() const { return static_cast<Eigen::Index>(names_.size()); }
  Eigen::Index num_variables() const { return num_variables_; }
  const std::vector<std::string>& names() const { return names_; }

  /// The features of one state; `inputs` has one number a variable, `features` room for size(). No allocation.
  void evaluate(const double* inputs, double* features) const;

  /// The features of many: (samples, variables) to (samples, size()).
  void evaluate(const Eigen::Ref<const Matrix>& inputs, Eigen::Ref<Matrix> features) const;

  /// Arithmetic operations of one evaluation.
  std::int64_t operations() const;

  /// The wanted features and the products that these are made from: what only() may be given.
  std::vector<bool> with_factors(std::vector<bool> wanted) const;

  /// The features whose flag is set, in the same order.
  Library only(const std::vector<bool>& kept) const;

 private:
  struct Product {
    int parent;    // feature that is multiplied; -1 for 1
    int variable;  // by this variable; -1: the feature is the constant 1
  };
  struct Wave {
    int variable;
    double frequency;
    bool cosine;
  };

  Library() = default;
  void add_products(const LibraryOptions& options, const std::vector<std::string>& variables);
  void add_waves(int frequencies, const std::vector<std::string>& variables);

  Eigen::Index num_variables_ = 0;
  std::vector<std::string> names_;
  std::vector<Product> products_;
  std::vector<Wave> waves_;
  std::vector<Expression> formulas_;
};

}  // namespace filigree::dynamics
