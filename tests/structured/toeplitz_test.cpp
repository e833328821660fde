#include <gtest/gtest.h>

#include "structured/dense.h"
#include "structured/toeplitz.h"
#include "support/expect_error.h"

namespace filigree::structured {
namespace {

using Eigen::VectorXd;

constexpr double kTolerance = 1e-12;

void expect_near(const VectorXd& a, const VectorXd& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_LE((a - b).cwiseAbs().maxCoeff(), kTolerance * (1 + b.cwiseAbs().maxCoeff()));
}

/// Σ_k (∂L/∂symbol_k) e_k where L = g · A(symbol) x: since A is linear in the symbol, exact without differences.
template <class Dense>
VectorXd exact_gradient(Eigen::Index count, const VectorXd& x, const VectorXd& g, Dense dense) {
  VectorXd gradient(count);
  for (Eigen::Index k = 0; k < count; ++k) gradient(k) = g.dot(dense(VectorXd::Unit(count, k)) * x);
  return gradient;
}

class Sizes : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Toeplitz, Sizes, testing::Values(1, 2, 3, 4, 7, 8, 16, 31, 64, 100, 256));

TEST_P(Sizes, ToeplitzEqualsTheMatrix) {
  std::srand(1);
  const VectorXd symbol = VectorXd::Random(2 * GetParam() - 1), x = VectorXd::Random(GetParam());
  const Eigen::MatrixXd dense = toeplitz_matrix(symbol);
  const Toeplitz fast(symbol);
  expect_near(fast * x, dense * x);
  VectorXd y(x.size());
  Workspace workspace;
  fast.multiply_transposed(x.data(), y.data(), workspace);
  expect_near(y, dense.transpose() * x);
}

TEST_P(Sizes, HankelEqualsTheMatrix) {
  std::srand(2);
  const VectorXd symbol = VectorXd::Random(2 * GetParam() - 1), x = VectorXd::Random(GetParam());
  expect_near(Hankel(symbol) * x, hankel_matrix(symbol) * x);
}

TEST_P(Sizes, CirculantEqualsTheMatrix) {
  std::srand(3);
  const VectorXd column = VectorXd::Random(GetParam()), x = VectorXd::Random(GetParam());
  const Circulant fast(column);
  expect_near(fast * x, circulant_matrix(column) * x);
  VectorXd y(x.size());
  Workspace workspace;
  fast.multiply_transposed(x.data(), y.data(), workspace);
  expect_near(y, circulant_matrix(column).transpose() * x);
}

TEST_P(Sizes, GradientsWithRespectToEveryEntry) {
  std::srand(4);
  const Eigen::Index n = GetParam();
  if (n > 64) return;
  const VectorXd x = VectorXd::Random(n), g = VectorXd::Random(n), symbol = VectorXd::Random(2 * n - 1);
  Workspace workspace;
  expect_near(Toeplitz(symbol).gradient(x, g, workspace), exact_gradient(2 * n - 1, x, g, toeplitz_matrix));
  expect_near(Hankel(symbol).gradient(x, g, workspace), exact_gradient(2 * n - 1, x, g, hankel_matrix));
  expect_near(Circulant(symbol.head(n)).gradient(x, g, workspace), exact_gradient(n, x, g, circulant_matrix));
}

TEST(Toeplitz, TheSpectrumHoldsTheWholeSymbol) {
  const SkewProduct skew(8);
  std::vector<double> lambda(16), work(skew.work_size(1));
  const std::vector<double> t{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  skew.spectrum(t.data(), {lambda.data(), lambda.data() + 8}, work.data());
  const std::vector<double> again = skew.symbol({lambda.data(), lambda.data() + 8});
  for (std::size_t k = 0; k < t.size(); ++k) EXPECT_NEAR(again[k], t[k], 1e-13);
}

TEST(Toeplitz, AProductAllocatesNothingTwice) {
  const Toeplitz toeplitz(VectorXd::Random(31));
  VectorXd x = VectorXd::Random(16);
  Workspace workspace;
  toeplitz.multiply(x.data(), x.data(), workspace);
  const double* buffer = workspace.get(1);
  toeplitz.multiply(x.data(), x.data(), workspace);
  EXPECT_EQ(workspace.get(1), buffer);
}

TEST(Toeplitz, ParametersAndOperations) {
  const Hankel hankel(VectorXd::Random(2 * 256 - 1));
  EXPECT_EQ(hankel.parameters(), 511u);
  EXPECT_EQ(hankel.operations(), 2 * Fft(256).operations() + 12 * 256);
  EXPECT_LT(hankel.operations(), 2u * 256 * 256 / 4);  // a quarter of the dense product
}

TEST(Toeplitz, Errors) {
  EXPECT_ERROR(Toeplitz(VectorXd::Ones(4)),
               "an n × n Hankel or Toeplitz matrix has 2n - 1 different entries, an odd number; got 4");
  EXPECT_ERROR(hankel_matrix(VectorXd::Ones(2)),
               "an n × n Hankel or Toeplitz matrix has 2n - 1 different entries, an odd number; got 2");
  EXPECT_ERROR(Circulant(VectorXd()), "a circulant matrix needs at least one entry");
  EXPECT_ERROR(Hankel(VectorXd::Ones(3)) * VectorXd::Ones(3), "a 2 × 2 matrix cannot multiply a vector of 3");
}

}  // namespace
}  // namespace filigree::structured
