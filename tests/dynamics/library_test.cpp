#include <cmath>

#include <gtest/gtest.h>

#include "base/random.h"
#include "dynamics/library.h"
#include "dynamics/row_qr.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

using Names = std::vector<std::string>;

double value(const std::string& formula, double x, double y) {
  const double inputs[] = {x, y};
  return Expression(formula, {"x", "y"})(inputs);
}

TEST(Expression, FollowsTheRulesOfArithmetic) {
  EXPECT_DOUBLE_EQ(value("1 + 2*x - y/4", 3, 8), 5);
  EXPECT_DOUBLE_EQ(value("-x^2", 3, 0), -9);
  EXPECT_DOUBLE_EQ(value("2^3^2", 0, 0), 512);
  EXPECT_DOUBLE_EQ(value("2^-1", 0, 0), 0.5);
  EXPECT_DOUBLE_EQ(value("x - y - 1", 5, 2), 2);
  EXPECT_DOUBLE_EQ(value("12/x/y", 3, 2), 2);
  EXPECT_DOUBLE_EQ(value("--x + +y", 3, 2), 5);
  EXPECT_DOUBLE_EQ(value("(x + y)*(x - y)", 5, 2), 21);
  EXPECT_DOUBLE_EQ(value("1.5e2*x", 2, 0), 300);
  EXPECT_DOUBLE_EQ(value("x*sin(pi*y)", 2, 0.5), 2);
  EXPECT_DOUBLE_EQ(value("abs(x)^1.5 + sign(y)", -4, -2), 7);
  EXPECT_DOUBLE_EQ(value("max(x, y) + min(x, y) + atan2(x - x, 1)", 2, 7), 9);
  EXPECT_DOUBLE_EQ(value("sqrt(exp(log(x))) + cosh(0) + tanh(0)", 9, 0), 4);
}

TEST(Expression, CountsOperations) {
  EXPECT_EQ(Expression("x*sin(y) + 1", {"x", "y"}).operations(), 3);
  EXPECT_EQ(Expression("x^2", {"x"}).operations(), 1);
}

TEST(Expression, Errors) {
  EXPECT_ERROR(value("x +", 0, 0), "formula 'x +', column 4: a number, variable, function or '(' is missing here");
  EXPECT_ERROR(value("", 0, 0), "formula '', column 1: a number, variable, function or '(' is missing here");
  EXPECT_ERROR(value("x ? y", 0, 0), "formula 'x ? y', column 3: '?' does not belong here");
  EXPECT_ERROR(value("x y", 0, 0), "formula 'x y', column 3: 'y' does not belong here");
  EXPECT_ERROR(value("(x", 0, 0), "formula '(x', column 3: ')' is missing here");
  EXPECT_ERROR(value("#", 0, 0), "formula '#', column 1: '#' does not belong here");
  EXPECT_ERROR(value("1.2.3", 0, 0), "formula '1.2.3', column 1: '1.2.3' is not a number");
  EXPECT_ERROR(value("x*speed", 0, 0),
               "formula 'x*speed', column 3: there is no variable 'speed' (variables: x, y)");
  EXPECT_ERROR(value("sine(x)", 0, 0),
               "formula 'sine(x)', column 1: there is no function 'sine'; did you mean 'sin'? (functions: abs, acos, asin, "
               "atan, atan2, cos, cosh, exp, log, max, min, sign, sin, sinh, sqrt, tan, tanh)");
  EXPECT_ERROR(value("min(x)", 0, 0), "formula 'min(x)', column 6: min takes 2 arguments: ',' is missing here");
  EXPECT_ERROR(value("sin(x, y)", 0, 0), "formula 'sin(x, y)', column 6: ')' is missing here");
  EXPECT_THROW(value(std::string(200, '('), 0, 0), Error);
  EXPECT_THROW(value(std::string(5000, '-') + "x", 0, 0), Error);
  std::string powers = "x";
  for (int i = 0; i < 100; ++i) powers += "^x";
  EXPECT_THROW(value(powers, 1, 1), Error);
}

TEST(Library, OrderIsThatOfPySindy) {
  LibraryOptions options;
  EXPECT_EQ(Library(options, {"x0", "x1", "x2"}).names(),
            (Names{"1", "x0", "x1", "x2", "x0^2", "x0 x1", "x0 x2", "x1^2", "x1 x2", "x2^2"}));
  options.degree = 3;
  options.interactions = false;
  options.constant = false;
  EXPECT_EQ(Library(options, {"a", "b"}).names(), (Names{"a", "b", "a^2", "b^2", "a^3", "b^3"}));
  options.degree = 0;
  options.frequencies = 2;
  options.custom = {" a*b "};
  EXPECT_EQ(Library(options, {"a", "b"}).names(), (Names{"sin(1 a)", "cos(1 a)", "sin(1 b)", "cos(1 b)", "sin(2 a)",
                                                         "cos(2 a)", "sin(2 b)", "cos(2 b)", "a*b"}));
}

LibraryOptions mixed() {
  LibraryOptions options;
  options.degree = 4;
  options.frequencies = 2;
  options.custom = {"x*sin(y)", "abs(x)"};
  return options;
}

TEST(Library, OneAndManyAgreeWithTheNames) {
  const Library library(mixed(), {"x", "y"});
  ASSERT_EQ(library.size(), 15 + 8 + 2);
  Random random(1);
  const Matrix inputs = Matrix::NullaryExpr(7, 2, [&] { return random.normal(); });
  Matrix many(7, library.size());
  library.evaluate(inputs, many);
  for (Eigen::Index i = 0; i < inputs.rows(); ++i) {
    const Vector row = inputs.row(i).transpose();
    Vector one(library.size());
    library.evaluate(row.data(), one.data());
    EXPECT_LT((one - many.row(i).transpose()).cwiseAbs().maxCoeff(), 1e-14);
    const auto at = [&](const std::string& name) {
      return many(i, std::find(library.names().begin(), library.names().end(), name) - library.names().begin());
    };
    const double x = row(0), y = row(1);
    EXPECT_DOUBLE_EQ(at("1"), 1);
    EXPECT_NEAR(at("x^3 y"), x * x * x * y, 1e-14);
    EXPECT_NEAR(at("y^4"), y * y * y * y, 1e-13);
    EXPECT_NEAR(at("cos(2 y)"), std::cos(2 * y), 1e-15);
    EXPECT_NEAR(at("x*sin(y)"), x * std::sin(y), 1e-15);
  }
}

TEST(Library, OnlyKeepsWhatIsNeeded) {
  const Library library(mixed(), {"x", "y"});
  std::vector<bool> wanted(25, false);
  const auto index = [&](const std::string& name) {
    return static_cast<std::size_t>(std::find(library.names().begin(), library.names().end(), name) -
                                    library.names().begin());
  };
  wanted[index("x^2 y")] = wanted[index("cos(2 x)")] = wanted[index("abs(x)")] = true;
  const Library small = library.only(library.with_factors(wanted));
  EXPECT_EQ(small.names(), (Names{"x", "x^2", "x^2 y", "cos(2 x)", "abs(x)"}));
  const double inputs[] = {-1.5, 0.5};
  double out[5];
  small.evaluate(inputs, out);
  EXPECT_DOUBLE_EQ(out[2], 1.125);
  EXPECT_DOUBLE_EQ(out[3], std::cos(3.0));
  EXPECT_DOUBLE_EQ(out[4], 1.5);
  EXPECT_EQ(small.operations(), 2 + 2 + 1);
}

TEST(Library, Errors) {
  LibraryOptions options;
  options.degree = 0;
  options.constant = false;
  EXPECT_ERROR(Library(options, {"x"}), "the library has no feature: allow the constant, a degree, frequencies or a formula");
  options.degree = 10;
  EXPECT_ERROR(Library(options, Names(12, "x")), "the library has more than 20000 features: lower the degree");
}

TEST(RowQr, FactorsAMatrixGivenInBlocks) {
  Random random(2);
  const Matrix a = Matrix::NullaryExpr(300, 7, [&] { return random.normal(); });
  RowQr whole(7), left(7), right(7);
  Matrix copy = a;
  whole.add(copy);
  Matrix head = a.topRows(100), tail = a.bottomRows(200);
  left.add(head);
  right.add(tail);
  left.add(right);
  const Matrix gram = a.transpose() * a;
  EXPECT_LT((whole.r().transpose() * whole.r() - gram).norm(), 1e-12 * gram.norm());
  EXPECT_LT((left.r().transpose() * left.r() - gram).norm(), 1e-12 * gram.norm());
  EXPECT_EQ(left.rows(), 300);
  EXPECT_EQ(Matrix(whole.r().triangularView<Eigen::StrictlyLower>()).norm(), 0);
}

TEST(RowQr, LeastSquaresKeepsTheAccuracyThatNormalEquationsLose) {
  // Columns 1 and 1 + 1e-7 t: condition 1e8, so that AᵀA has no correct digit left.
  const Vector t = Vector::LinSpaced(1000, -1, 1);
  Matrix a(1000, 3);
  a.col(0).setOnes();
  a.col(1) = 1 + 1e-7 * t.array();
  a.col(2) = a.col(0) * 2 + a.col(1) * 3;
  RowQr qr(3);
  qr.add(a);
  const Regression problem = Regression::from(qr, 2);
  const Vector x = problem.solve({0, 1}, 0, 0);
  EXPECT_NEAR(x(0), 2, 1e-7);
  EXPECT_NEAR(x(1), 3, 1e-7);
  EXPECT_LT(problem.squared_error(x, 0), 1e-20);
}

}  // namespace
}  // namespace filigree::dynamics
