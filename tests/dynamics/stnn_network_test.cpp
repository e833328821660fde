#include <cmath>

#include <gtest/gtest.h>

#include "dynamics/optimise.h"
#include "dynamics/stnn_network.h"
#include "structured/dense.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

StnnShape shape(bool lift, Bend bend, Factors factors) {
  return {.inputs = 3,
          .outputs = 2,
          .channels = 8,
          .blocks = 2,
          .layers = 2,
          .lift = lift,
          .bend = bend,
          .factors = factors};
}

class Shapes : public testing::TestWithParam<StnnShape> {};
INSTANTIATE_TEST_SUITE_P(StnnNetwork, Shapes,
                         testing::Values(shape(true, Bend::tanh, Factors::fourier),
                                         shape(false, Bend::sine, Factors::fourier),
                                         shape(true, Bend::sine, Factors::twiddles),
                                         shape(false, Bend::tanh, Factors::twiddles)));

/// Parameters away from any special point.
Vector some_parameters(const StnnNetwork& network) {
  Random random(3);
  Vector params = network.initial(random);
  for (double& value : params) value += 0.3 * random.normal();
  return params;
}

TEST_P(Shapes, JacobiansAgreeWithDifferences) {
  const StnnNetwork network(GetParam());
  const Vector params = some_parameters(network);
  std::srand(1);
  const Matrix x = Matrix::Random(3, 5);
  Matrix y, jp, jx;
  network.jacobian(params, x, y, jp, jx);
  const auto tape = network.make_tape();
  const auto outputs = [&](const Vector& p) {
    Matrix out;
    network.forward(p, x, out, *tape);
    return Vector(out.reshaped());
  };
  EXPECT_LE(check_jacobian(outputs, params, jp.transpose()).worst, 1e-8);
  const auto of_input = [&](const Vector& point) {
    Matrix out;
    network.forward(params, point, out, *tape);
    return Vector(out.reshaped());
  };
  EXPECT_LE(check_jacobian(of_input, x.col(4), jx.rightCols(2).transpose()).worst, 1e-8);
}

TEST_P(Shapes, BackwardIsTheJacobianTransposed) {
  const StnnNetwork network(GetParam());
  const Vector params = some_parameters(network);
  std::srand(2);
  const Matrix x = Matrix::Random(3, 4), dy = Matrix::Random(2, 4);
  Matrix y, jp, jx, dx;
  network.jacobian(params, x, y, jp, jx);
  const auto tape = network.make_tape();
  Vector gradient = Vector::Zero(network.num_parameters());
  network.forward(params, x, y, *tape);
  network.backward(params, *tape, dy, gradient, &dx);
  EXPECT_LE((gradient - jp * Vector(dy.reshaped())).norm(), 1e-12 * gradient.norm());
  EXPECT_LE((dx.col(1) - jx.middleCols(2, 2) * dy.col(1)).norm(), 1e-12);
}

TEST_P(Shapes, OneSampleAloneGivesWhatItGivesAmongOthers) {
  const StnnNetwork network(GetParam());
  const Vector params = some_parameters(network);
  std::srand(3);
  const Matrix x = Matrix::Random(3, 4), dy = Matrix::Random(2, 1);
  Matrix all, one, dx, dx_among;
  const auto tape = network.make_tape();
  network.forward(params, x, all, *tape);
  Vector among = Vector::Zero(network.num_parameters()), alone = among;
  Matrix wide = Matrix::Zero(2, 4);
  wide.col(2) = dy;
  network.backward(params, *tape, wide, among, &dx_among);
  network.forward(params, x.col(2), one, *tape);
  EXPECT_LE((one - all.col(2)).norm(), 1e-14 * all.norm());
  network.backward(params, *tape, dy, alone, &dx);
  EXPECT_LE((alone - among).norm(), 1e-13 * among.norm());
  EXPECT_LE((dx - dx_among.col(2)).norm(), 1e-13 * dx.norm());
}

/// The network written with dense Hankel matrices.
Vector dense_forward(const StnnNetwork& network, const Vector& params, const Vector& x) {
  const StnnShape& s = network.shape();
  const auto& at = network.layout();
  const Eigen::Index n = s.channels;
  const structured::SkewProduct skew(static_cast<std::size_t>(n));
  const Eigen::Map<const Matrix> a(params.data() + at.lift, s.inputs, n),
      linear(params.data() + at.linear, s.inputs, s.outputs);
  const Vector z = a.transpose() * x + params.segment(at.lift_bias, n);
  Vector y = linear.transpose() * x + params.segment(at.bias, s.outputs);
  for (int block = 0; block < s.blocks; ++block) {
    Vector h = z;
    for (int layer = 0; layer < s.layers; ++layer) {
      const auto w = network.weight(layer, block);
      const std::vector<double> t = skew.symbol({params.data() + w.re, params.data() + w.im});
      const Vector symbol = Eigen::Map<const Vector>(t.data(), 2 * n - 1);
      h = (structured::hankel_matrix(symbol) * h + params.segment(w.bias, n)).eval();
      for (double& value : h) value = std::tanh(value);
    }
    for (Eigen::Index o = 0; o < s.outputs; ++o)
      y(o) += params.segment(at.readout + (o * s.blocks + block) * n, n).dot(h);
  }
  return y;
}

TEST(StnnNetwork, EqualsTheNetworkWithDenseHankelMatrices) {
  const StnnNetwork network(shape(true, Bend::tanh, Factors::fourier));
  const Vector params = some_parameters(network);
  std::srand(3);
  const Matrix x = Matrix::Random(3, 6);
  Matrix y;
  network.forward(params, x, y, *network.make_tape());
  for (Eigen::Index s = 0; s < x.cols(); ++s)
    EXPECT_LE((y.col(s) - dense_forward(network, params, x.col(s))).norm(), 1e-12);
}

TEST(StnnNetwork, LearnedTwiddlesStartAsTheExactHankelMatrix) {
  const StnnNetwork exact(shape(true, Bend::tanh, Factors::fourier)),
      learned(shape(true, Bend::tanh, Factors::twiddles));
  Random first(9), second(9);
  const Vector a = exact.initial(first), b = learned.initial(second);
  std::srand(4);
  const Matrix x = Matrix::Random(3, 6);
  Matrix ya, yb;
  exact.forward(a, x, ya, *exact.make_tape());
  learned.forward(b, x, yb, *learned.make_tape());
  EXPECT_LE((ya - yb).norm(), 1e-12);
}

TEST(StnnNetwork, StartsFromTheMeasuredHankelMatrix) {
  Vector series(200);
  for (Eigen::Index i = 0; i < 200; ++i) series(i) = std::sin(0.1 * static_cast<double>(i));
  const StnnNetwork network({.inputs = 8, .outputs = 1, .channels = 8, .blocks = 3, .layers = 1, .lift = false},
                            {.gains = {}, .series = series});
  Random random(5);
  const Vector params = network.initial(random);
  const auto w = network.weight(0, 2);
  const std::vector<double> symbol = structured::SkewProduct(8).symbol({params.data() + w.re, params.data() + w.im});
  // A stretch of a sine obeys h_{k+1} + h_{k-1} = 2 cos(0.1) h_k.
  for (std::size_t k = 1; k + 1 < symbol.size(); ++k) {
    EXPECT_NEAR(symbol[k + 1] + symbol[k - 1], 2 * std::cos(0.1) * symbol[k], 1e-12);
  }
}

TEST(StnnNetwork, ParametersGrowWithNAndOperationsWithNLogN) {
  const auto of = [](Eigen::Index n) {
    return StnnNetwork({.inputs = n, .outputs = 1, .channels = n, .blocks = 1, .layers = 2, .lift = false});
  };
  EXPECT_EQ(of(64).num_parameters(), 2 * 3 * 64 + 64 + 1 + 64);
  EXPECT_EQ(of(4096).num_parameters(), 2 * 3 * 4096 + 4096 + 1 + 4096);
  EXPECT_LT(of(4096).operations(), 2 * 2 * 4096LL * 4096 / 50);
}

TEST(StnnNetwork, Errors) {
  EXPECT_ERROR(StnnNetwork({.inputs = 2, .outputs = 1, .channels = 12}),
               "the channels of a structured network must be a power of two, 2 or more, not 12");
  EXPECT_ERROR(StnnNetwork({.inputs = 20, .outputs = 1, .channels = 16, .lift = false}),
               "a window of 20 numbers does not fit into 16 channels; take 32 channels or a lift");
}

TEST(Activation, AgreesWithTheStandardLibrary) {
  for (double x = -30; x <= 30; x += 0.0317) {
    EXPECT_NEAR(vectorised::tanh(x), std::tanh(x), 4e-16);
    EXPECT_NEAR(vectorised::sin(x), std::sin(x), 4e-16);
    EXPECT_NEAR(vectorised::cos(x), std::cos(x), 4e-16);
  }
  EXPECT_DOUBLE_EQ(vectorised::tanh(1e-9), 1e-9);
  EXPECT_DOUBLE_EQ(vectorised::tanh(-800), -1);
}

}  // namespace
}  // namespace filigree::dynamics
