#include <complex>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "structured/butterfly.h"
#include "structured/dense.h"
#include "support/expect_error.h"

namespace filigree::structured {
namespace {

using Eigen::MatrixXcd;

constexpr std::size_t kLanes = 3;

std::vector<double> random_numbers(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> numbers(count);
  for (double& number : numbers) number = random.normal();
  return numbers;
}

/// Columns are the images of the unit vectors.
MatrixXcd as_matrix(const Butterfly& butterfly, const std::vector<double>& numbers, bool transposed) {
  const std::size_t n = butterfly.size();
  std::vector<double> re(n * n), im(n * n), work(n * n);
  for (std::size_t k = 0; k < n; ++k) re[k * n + k] = 1;
  if (transposed)
    butterfly.multiply_transposed(numbers.data(), {re.data(), im.data()}, n, nullptr, work.data());
  else
    butterfly.multiply(numbers.data(), {re.data(), im.data()}, n, nullptr, work.data());
  MatrixXcd matrix(n, n);
  for (std::size_t i = 0; i < n * n; ++i) {
    matrix(static_cast<Eigen::Index>(i / n), static_cast<Eigen::Index>(i % n)) = {re[i], im[i]};
  }
  return matrix;
}

class Kinds : public testing::TestWithParam<Butterfly::Kind> {};
INSTANTIATE_TEST_SUITE_P(Butterfly, Kinds, testing::Values(Butterfly::Kind::twiddles, Butterfly::Kind::full));

TEST_P(Kinds, StartsAsTheFourierTransform) {
  for (std::size_t n = 1; n <= 64; n *= 2) {
    const Butterfly butterfly(n, GetParam());
    const MatrixXcd f = dft_matrix(static_cast<Eigen::Index>(n));
    EXPECT_LE((as_matrix(butterfly, butterfly.fourier(), false) - f).cwiseAbs().maxCoeff(), 1e-12);
  }
}

TEST_P(Kinds, TheTransposeIsTheTranspose) {
  const Butterfly butterfly(16, GetParam());
  const std::vector<double> numbers = random_numbers(butterfly.parameters(), 1);
  const MatrixXcd matrix = as_matrix(butterfly, numbers, false);
  EXPECT_LE((as_matrix(butterfly, numbers, true) - matrix.transpose()).norm(), 1e-12 * matrix.norm());
}

/// Gradient of L = Σ_lanes Re(g^* B x) by the butterfly against differences; L is a polynomial of degree 1 in each number.
void check_gradients(const Butterfly& butterfly, bool transposed) {
  const std::size_t n = butterfly.size(), count = n * kLanes;
  std::vector<double> numbers = random_numbers(butterfly.parameters(), 2);
  const std::vector<double> x = random_numbers(2 * count, 3), g = random_numbers(2 * count, 4);
  std::vector<double> work(2 * count), trace(butterfly.trace_size(kLanes));
  const auto loss = [&](std::size_t lane) {
    std::vector<double> y = x;
    const Split split{y.data(), y.data() + count};
    if (transposed)
      butterfly.multiply_transposed(numbers.data(), split, kLanes, trace.data(), work.data());
    else
      butterfly.multiply(numbers.data(), split, kLanes, trace.data(), work.data());
    double sum = 0;
    for (std::size_t i = 0; i < 2 * count; ++i) sum += i % kLanes == lane ? y[i] * g[i] : 0.0;
    return sum;
  };
  loss(0);
  std::vector<double> gradient(butterfly.parameters() * kLanes), gx = g;
  const Split split{gx.data(), gx.data() + count};
  if (transposed)
    butterfly.backward_transposed(numbers.data(), split, kLanes, trace.data(), gradient.data(), work.data());
  else
    butterfly.backward(numbers.data(), split, kLanes, trace.data(), gradient.data(), work.data());
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double value = numbers[k];
      numbers[k] = value + 0.5;
      const double up = loss(lane);
      numbers[k] = value - 0.5;
      const double down = loss(lane);
      numbers[k] = value;
      EXPECT_NEAR(gradient[k * kLanes + lane], up - down, 1e-9);
    }
  }
  // The gradient of x: Re(g^* B x) = Re((B^* g)^* x).
  double by_x = 0, direct = 0;
  for (std::size_t i = 0; i < 2 * count; ++i) by_x += gx[i] * x[i];
  for (std::size_t lane = 0; lane < kLanes; ++lane) direct += loss(lane);
  EXPECT_NEAR(by_x, direct, 1e-9);
}

TEST_P(Kinds, GradientsWithRespectToEveryNumber) {
  check_gradients(Butterfly(8, GetParam()), false);
  check_gradients(Butterfly(8, GetParam()), true);
}

TEST(Butterfly, Counts) {
  EXPECT_EQ(Butterfly(16, Butterfly::Kind::twiddles).parameters(), 16u * 4);
  EXPECT_EQ(Butterfly(16, Butterfly::Kind::full).parameters(), 4u * 16 * 4);
  EXPECT_EQ(Butterfly(16, Butterfly::Kind::full).operations(), 32u * 28);
}

TEST(Butterfly, Errors) {
  EXPECT_ERROR(Butterfly(6, Butterfly::Kind::full), "the size of a butterfly must be a power of two, not 6");
}

}  // namespace
}  // namespace filigree::structured
