#include <complex>
#include <vector>

#include <gtest/gtest.h>
#include <Eigen/Core>

#include "structured/bluestein.h"
#include "structured/dense.h"
#include "structured/fft.h"
#include "support/expect_error.h"

namespace filigree::structured {
namespace {

constexpr double kTolerance = 1e-12;  // relative to the largest entry; what the published identities are held to

Eigen::MatrixXcd random_lanes(std::size_t n, std::size_t lanes) {
  std::srand(static_cast<unsigned>(n * 31 + lanes));
  return Eigen::MatrixXcd::Random(static_cast<Eigen::Index>(n), static_cast<Eigen::Index>(lanes));
}

/// Runs a transform on the columns of x as lanes.
template <class Transform>
Eigen::MatrixXcd transformed(const Eigen::MatrixXcd& x, Transform transform) {
  const std::size_t n = static_cast<std::size_t>(x.rows()), lanes = static_cast<std::size_t>(x.cols());
  std::vector<double> re(n * lanes), im(n * lanes);
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t b = 0; b < lanes; ++b) {
      const std::complex<double> value = x(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(b));
      re[k * lanes + b] = value.real(), im[k * lanes + b] = value.imag();
    }
  }
  transform(Split{re.data(), im.data()}, lanes);
  Eigen::MatrixXcd y(x.rows(), x.cols());
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t b = 0; b < lanes; ++b) {
      y(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(b)) = {re[k * lanes + b], im[k * lanes + b]};
    }
  }
  return y;
}

void expect_near(const Eigen::MatrixXcd& a, const Eigen::MatrixXcd& b) {
  EXPECT_LE((a - b).cwiseAbs().maxCoeff(), kTolerance * b.cwiseAbs().maxCoeff());
}

TEST(Fft, EqualsTheMatrixForEveryLengthAndNumberOfLanes) {
  for (std::size_t n = 1; n <= 512; n *= 2) {
    for (const std::size_t lanes : {1u, 2u, 3u, 4u, 5u, 8u, 16u}) {
      const Eigen::MatrixXcd x = random_lanes(n, lanes);
      const Fft fft(n);
      std::vector<double> work(fft.work_size(lanes));
      const Eigen::MatrixXcd f = dft_matrix(x.rows());
      expect_near(transformed(x, [&](Split s, std::size_t l) { fft.forward(s, l, work.data()); }), f * x);
      expect_near(transformed(x, [&](Split s, std::size_t l) { fft.inverse(s, l, work.data()); }), f.adjoint() * x);
    }
  }
}

TEST(Fft, LongTransformsReturn) {
  const Eigen::MatrixXcd x = random_lanes(8192, 1);
  const Fft fft(8192);
  std::vector<double> work(fft.work_size(1));
  const Eigen::MatrixXcd there = transformed(x, [&](Split s, std::size_t l) { fft.forward(s, l, work.data()); });
  expect_near(transformed(there, [&](Split s, std::size_t l) { fft.inverse(s, l, work.data()); }), 8192.0 * x);
}

TEST(Fft, ThePublishedFactorsAreTheMatrix) {
  for (Eigen::Index n = 1; n <= 64; n *= 2) expect_near(dft_by_factors(n), dft_matrix(n));
}

TEST(Fft, OperationsGrowAsNLogN) {
  EXPECT_EQ(Fft(16).operations(), 2u * 4 * 34);  // two passes of four radix-4 butterflies
  for (std::size_t n = 16; n <= 4096; n *= 4) {
    const double per = static_cast<double>(Fft(n).operations()) / (static_cast<double>(n) * std::log2(n));
    EXPECT_NEAR(per, 34.0 / 8, 1e-12);
  }
}

TEST(Fft, Errors) {
  EXPECT_ERROR(Fft(12), "the length of this Fourier transform must be a power of two, not 12");
  EXPECT_ERROR(Bluestein(0), "a Fourier transform needs a length of at least 1");
  EXPECT_ERROR(dft_by_factors(12),
               "the factors of the Fourier matrix need a power of two, not a length with the odd part 3");
}

TEST(Bluestein, EqualsTheMatrixForAnyLength) {
  for (const std::size_t n : {1u, 2u, 3u, 5u, 7u, 12u, 16u, 31u, 97u, 100u, 210u}) {
    const Eigen::MatrixXcd x = random_lanes(n, 1);
    const Bluestein dft(n);
    std::vector<double> work(dft.work_size());
    const Eigen::MatrixXcd f = dft_matrix(x.rows());
    expect_near(transformed(x, [&](Split s, std::size_t) { dft.forward(s, work.data()); }), f * x);
    expect_near(transformed(x, [&](Split s, std::size_t) { dft.inverse(s, work.data()); }), f.adjoint() * x);
  }
}

}  // namespace
}  // namespace filigree::structured
