#include <complex>
#include <vector>

#include <gtest/gtest.h>

#include "structured/chain.h"
#include "structured/dense.h"
#include "support/expect_error.h"

namespace filigree::structured {
namespace {

using Eigen::MatrixXcd;
using Eigen::VectorXcd;

constexpr double kTolerance = 1e-12;
constexpr std::size_t kSize = 8;

struct Parts {
  std::vector<double> re, im;
  explicit Parts(std::size_t n) : re(n), im(n) {}
  explicit Parts(const VectorXcd& x) : re(static_cast<std::size_t>(x.size())), im(re.size()) {
    for (std::size_t k = 0; k < re.size(); ++k)
      re[k] = x(static_cast<Eigen::Index>(k)).real(), im[k] = x(static_cast<Eigen::Index>(k)).imag();
  }
  Split split() { return {re.data(), im.data()}; }
  VectorXcd vector() const {
    VectorXcd x(static_cast<Eigen::Index>(re.size()));
    for (std::size_t k = 0; k < re.size(); ++k) x(static_cast<Eigen::Index>(k)) = {re[k], im[k]};
    return x;
  }
};

DftDiagonal::Factors random_factors() {
  const Parts hat(VectorXcd::Random(2 * kSize)), check(VectorXcd::Random(kSize));
  return {hat.re, hat.im, check.re, check.im};
}

VectorXcd diagonal(const std::vector<double>& re, const std::vector<double>& im) {
  Parts parts(re.size());
  parts.re = re, parts.im = im;
  return parts.vector();
}

/// diag(ď) Ĩ J^T F diag(d̂) F J, written out.
MatrixXcd written_out(const DftDiagonal::Factors& factors, bool conjugate) {
  const Eigen::Index n = kSize, r = 2 * n;
  const MatrixXcd f = dft_matrix(r);
  const MatrixXcd second = conjugate ? MatrixXcd(f.adjoint() / static_cast<double>(r)) : f;
  const MatrixXcd inner = second * diagonal(factors.hat_re, factors.hat_im).asDiagonal() * f;
  return diagonal(factors.check_re, factors.check_im).asDiagonal() *
         MatrixXcd(inner.topLeftCorner(n, n).colwise().reverse());
}

class Chain : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Second, Chain, testing::Bool());

TEST_P(Chain, EqualsTheMatrixAndItsTranspose) {
  std::srand(5);
  const DftDiagonal chain(kSize, GetParam());
  const DftDiagonal::Factors factors = random_factors();
  const MatrixXcd dense = written_out(factors, GetParam());
  const VectorXcd x = VectorXcd::Random(kSize);
  Parts in(x), out(kSize);
  std::vector<double> work(chain.work_size()), trace(4 * kSize);
  chain.multiply(factors, in.split(), out.split(), trace.data(), work.data());
  EXPECT_LE((out.vector() - dense * x).norm(), kTolerance * dense.norm());
  chain.multiply_transposed(factors, in.split(), out.split(), work.data());
  EXPECT_LE((out.vector() - dense.transpose() * x).norm(), kTolerance * dense.norm());
}

TEST_P(Chain, GradientsWithRespectToEveryFactor) {
  std::srand(6);
  const DftDiagonal chain(kSize, GetParam());
  DftDiagonal::Factors factors = random_factors();
  const VectorXcd x = VectorXcd::Random(kSize), g = VectorXcd::Random(kSize);
  // L = Re(g^* y) is linear in every factor, so a difference of any width is exact.
  const auto loss = [&](const DftDiagonal::Factors& f, const VectorXcd& at) {
    return (g.adjoint() * written_out(f, GetParam()) * at)(0).real();
  };
  Parts in(x), out(kSize), gradient(g), gx(kSize);
  std::vector<double> work(chain.work_size()), trace(4 * kSize);
  chain.multiply(factors, in.split(), out.split(), trace.data(), work.data());
  DftDiagonal::Factors grad{std::vector<double>(2 * kSize), std::vector<double>(2 * kSize), std::vector<double>(kSize),
                            std::vector<double>(kSize)};
  chain.backward(factors, gradient.split(), trace.data(), gx.split(), grad, work.data());
  const auto check = [&](std::vector<double>& numbers, const std::vector<double>& found) {
    for (std::size_t k = 0; k < numbers.size(); ++k) {
      const double value = numbers[k];
      numbers[k] = value + 1;
      const double up = loss(factors, x);
      numbers[k] = value - 1;
      const double down = loss(factors, x);
      numbers[k] = value;
      EXPECT_NEAR(found[k], (up - down) / 2, 1e-10);
    }
  };
  check(factors.hat_re, grad.hat_re);
  check(factors.hat_im, grad.hat_im);
  check(factors.check_re, grad.check_re);
  check(factors.check_im, grad.check_im);
  const VectorXcd expected = written_out(factors, GetParam()).adjoint() * g;
  EXPECT_LE((gx.vector() - expected).norm(), 1e-10);
}

TEST(Chain, HoldsEveryHankelMatrix) {
  std::srand(7);
  const Eigen::VectorXd h = Eigen::VectorXd::Random(2 * kSize - 1);
  const DftDiagonal chain(kSize, true);
  const DftDiagonal::Factors factors = chain.hankel({h.begin(), h.end()});
  EXPECT_LE((written_out(factors, true) - hankel_matrix(h).cast<std::complex<double>>()).cwiseAbs().maxCoeff(), 1e-12);
  EXPECT_EQ(chain.parameters(), 6 * kSize);
}

TEST(Chain, Errors) {
  EXPECT_ERROR(DftDiagonal(8, true).hankel({1, 2, 3}), "a 8 × 8 Hankel matrix has 15 entries, not 3");
}

}  // namespace
}  // namespace filigree::structured
