#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace filigree::dynamics {

/// A formula given as text, such as "x*sin(y)" or "abs(x)^1.5", compiled once and then evaluated fast.
///
///     sum     = product (('+' | '-') product)*
///     product = unary (('*' | '/') unary)*
///     unary   = ('+' | '-') unary | power
///     power   = primary ('^' unary)?                     so that -x^2 = -(x^2) and x^y^z = x^(y^z)
///     primary = number | pi | variable | function '(' sum (',' sum)? ')' | '(' sum ')'
///
/// Functions: abs, acos, asin, atan, cos, cosh, exp, log, sign, sin, sinh, sqrt, tan, tanh; of two: atan2, max, min.
/// A variable's name hides a function or pi of the same name where no parenthesis follows.
class Expression {
 public:
  /// Error on anything but a formula in these variables, with the column of the trouble.
  Expression(std::string_view text, const std::vector<std::string>& variables);

  const std::string& text() const { return text_; }

  /// The value for these inputs, in the order of the variables; no allocation.
  double operator()(const double* inputs) const;

  /// Arithmetic operations and functions of one evaluation.
  std::int64_t operations() const;

 private:
  friend class ExpressionParser;
  enum class Op : std::uint8_t;
  struct Step {
    Op op;
    int variable = 0;
    double number = 0;
  };

  std::string text_;
  std::vector<Step> steps_;  // in postfix order
};

}  // namespace filigree::dynamics
