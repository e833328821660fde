#include "dynamics/stnn_published.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "dynamics/activation.h"
#include "dynamics/network_model.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;
using ConstMatrixMap = Eigen::Map<const Matrix>;
using ConstVectorMap = Eigen::Map<const Vector>;
using MatrixMap = Eigen::Map<Matrix>;
using VectorMap = Eigen::Map<Vector>;

constexpr double kLeastDiagonal = 1e-4;
constexpr double kNormEpsilon = 1e-5;

std::size_t count(Index value) { return static_cast<std::size_t>(value); }

double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

void tanh_of(Matrix& z) { z.array() = 1 - 2 * ((2 * z.array()).exp() + 1).inverse(); }

/// z becomes its activation; slope is the derivative there.
void sigmoid_gate(Matrix& z, Matrix& slope) {
  z.array() = ((-z.array()).exp() + 1).inverse();
  slope.array() = z.array() * (1 - z.array());
}

void relu_gate(Matrix& z, Matrix& slope) {
  slope.array() = (z.array() > 0).cast<double>();
  z.array() *= slope.array();
}

/// x Φ(x), whose derivative is Φ(x) + x φ(x).
void gelu_gate(Matrix& z, Matrix& slope) {
  const double density = 1 / std::sqrt(2 * std::numbers::pi);
  double *x = z.data(), *d = slope.data();
  for (Index i = 0; i < z.size(); ++i) d[i] = 0.5 * std::erfc(-x[i] / std::numbers::sqrt2);
  for (Index i = 0; i < z.size(); ++i) {
    const double value = x[i], power = std::max(-0.5 * value * value, -700.0);
    x[i] = value * d[i];
    d[i] += density * value * (vectorised::expm1(power) + 1);
  }
}

void silu_gate(Matrix& z, Matrix& slope) {
  const auto x = z.array();
  slope.array() = ((-x).exp() + 1).inverse();
  z.array() *= slope.array();  // x σ(x)
  slope.array() += z.array() * (1 - slope.array());
}

}  // namespace

/// Every block has matrices of its own, all of one size and alignment, so that equal blocks are computed by the same
/// instructions and stay equal to the last bit.
struct StnnPublishedNetwork::Pass : Tape {
  Matrix w1, first, w2;  // F_r J; J^T F_r; first · diag(D)
  Vector diagonal;       // D
  Matrix x, in;          // input, and what enters the blocks
  Matrix centred;        // layer norm
  Eigen::RowVectorXd inverse;
  Matrix shared, second;                              // plain: F_r J x; improved: tanh of it, and w2 times that
  std::vector<Matrix> bent, slope2, slope3;           // of the blocks; bent = tanh(…), plain form only
  Matrix z, flipped, sum, out;                        // scratch; Σ of the blocks; o
  Matrix hidden, hidden_slope, net;                   // dense network; o + its output
  Vector bias, shift, bias_gradient, bias2_gradient;  // scratch
  Matrix dout, dz, dback, dshared, dsecond, dw1, dw2, dhidden, din;
};

StnnPublishedNetwork::StnnPublishedNetwork(const Shape& shape, const Start& start) : shape_(shape), start_(start) {
  FILIGREE_ASSERT(shape.size > 0 && shape.blocks > 0 && shape.hidden >= 0 && start.residual_scale > 0);
  const Index n = shape.size, p = shape.blocks, h = shape.hidden;
  at_.b2 = 2 * n * p;
  at_.b3 = at_.b2 + n * p;
  at_.transform = at_.b3 + n * p;
  at_.hat = at_.transform + n * n;
  at_.grave = at_.hat + 2 * n;
  at_.check = at_.grave + n;
  at_.b4 = at_.check + n;
  at_.end = at_.b4 + n;
  if (!improved()) return;
  at_.in = at_.end;
  at_.in_bias = at_.in + h * n;
  at_.out = at_.in_bias + h;
  at_.out_bias = at_.out + n * h;
  at_.norm = at_.out_bias + n;
  at_.norm_bias = at_.norm + (shape.layer_norm ? n : 0);
  at_.scale = at_.norm_bias + (shape.layer_norm ? n : 0);
  at_.end = at_.scale + 1;
}

std::int64_t StnnPublishedNetwork::operations() const {
  const std::int64_t n = shape_.size, p = shape_.blocks, h = shape_.hidden;
  // Activations: tanh 1, sigmoid 4, ReLU 1, GELU 5, SiLU 4. Sums over the blocks and D_check at the end.
  if (!improved()) return 4 * n * n + p * (4 * n + 4 * n * n + 5 * n + 2 * n + n) + 2 * n;
  // The blocks share all but a shift before the GELU, which depends on the parameters alone.
  const std::int64_t blocks = 8 * n * n + 2 * n + p * (6 * n + 5 * n + n) + 2 * n;
  const std::int64_t norm = shape_.layer_norm ? 9 * n : 0;
  return norm + blocks + 4 * n * h + 5 * h + 2 * n + 2 * n;
}

Vector StnnPublishedNetwork::initial(Random& random) const {
  const Index n = shape_.size;
  Vector params = Vector::Zero(at_.end);
  if (start_.own_biases) {
    for (Index i = 0; i < at_.transform; ++i) params[i] = random.uniform(-1, 1);
  }
  const double unit = 1 / std::sqrt(static_cast<double>(n));
  for (Index i = at_.transform; i < at_.hat; ++i) params[i] = unit * random.normal();
  for (Index i = at_.hat; i < at_.b4; ++i) params[i] = random.normal();
  if (!improved()) return params;
  const double hidden_unit = 1 / std::sqrt(static_cast<double>(std::max<Index>(shape_.hidden, 1)));
  for (Index i = at_.in; i < at_.out; ++i) params[i] = random.uniform(-unit, unit);
  for (Index i = at_.out; i < at_.norm; ++i) params[i] = random.uniform(-hidden_unit, hidden_unit);
  if (shape_.layer_norm) params.segment(at_.norm, n).setOnes();
  params[at_.scale] = std::log(start_.residual_scale);
  return params;
}

std::unique_ptr<Tape> StnnPublishedNetwork::make_tape() const {
  auto pass = std::make_unique<Pass>();
  for (std::vector<Matrix>* list : {&pass->bent, &pass->slope2, &pass->slope3}) list->resize(count(shape_.blocks));
  return pass;
}

/// The weight matrices from F and the diagonals.
void StnnPublishedNetwork::assemble(const double* params, Pass& pass) const {
  const Index n = shape_.size;
  const ConstMatrixMap f(params + at_.transform, n, n);
  const auto grave = ConstVectorMap(params + at_.grave, n).transpose().array();
  pass.w1.resize(2 * n, n);
  pass.first.resize(n, 2 * n);
  for (Index i = 0; i < n; ++i) {
    pass.w1.row(2 * i) = f.row(i);
    pass.w1.row(2 * i + 1) = f.row(i).array() * grave;
  }
  for (Index k = 0; k < n; ++k) {
    pass.first.row(k).head(n) = pass.w1.row(k);
    pass.first.row(k).tail(n) = (k % 2 == 0 ? 1.0 : -1.0) * pass.w1.row(k);
  }
  pass.diagonal = ConstVectorMap(params + at_.hat, 2 * n);
  if (improved()) {
    for (double& value : pass.diagonal) value = softplus(value) + kLeastDiagonal;
  }
  pass.w2 = pass.first * pass.diagonal.asDiagonal();
}

/// The gradients of F and the diagonals from dw1 and dw2.
void StnnPublishedNetwork::assemble_back(const double* params, Pass& pass, double* dp) const {
  const Index n = shape_.size;
  const ConstVectorMap hat(params + at_.hat, 2 * n);
  VectorMap dhat(dp + at_.hat, 2 * n);
  for (Index j = 0; j < 2 * n; ++j) {
    const double slope = improved() ? 1 / (1 + std::exp(-hat[j])) : 1.0;
    dhat[j] += slope * pass.dw2.col(j).dot(pass.first.col(j));
  }
  pass.dw2 = pass.dw2 * pass.diagonal.asDiagonal();
  // Row k of J^T F_r is row k of F_r J, written twice, with the sign of k the second time.
  for (Index k = 0; k < n; ++k) {
    const double sign = k % 2 == 0 ? 1 : -1;
    pass.dw1.row(k) += pass.dw2.row(k).head(n) + sign * pass.dw2.row(k).tail(n);
  }
  const ConstMatrixMap f(params + at_.transform, n, n);
  const auto grave = ConstVectorMap(params + at_.grave, n).transpose().array();
  MatrixMap df(dp + at_.transform, n, n);
  VectorMap dgrave(dp + at_.grave, n);
  for (Index i = 0; i < n; ++i) {
    df.row(i).array() += pass.dw1.row(2 * i).array() + pass.dw1.row(2 * i + 1).array() * grave;
    dgrave.array() += (pass.dw1.row(2 * i + 1).array() * f.row(i).array()).transpose();
  }
}

void StnnPublishedNetwork::run_blocks(const double* params, Pass& pass) const {
  const Index n = shape_.size, batch = pass.in.cols();
  pass.shared.resize(2 * n, batch);
  pass.shared.noalias() = pass.w1 * pass.in;
  if (improved()) {
    tanh_of(pass.shared);
    pass.second.resize(n, batch);
    pass.second.noalias() = pass.w2 * pass.shared;
  }
  pass.sum.setZero(n, batch);
  pass.z.resize(n, batch);
  for (Index b = 0; b < shape_.blocks; ++b) {
    Matrix &slope2 = pass.slope2[count(b)], &slope3 = pass.slope3[count(b)];
    slope2.resize(n, batch);
    slope3.resize(n, batch);
    pass.bias = ConstVectorMap(params + at_.b1 + 2 * n * b, 2 * n);
    const ConstVectorMap b2(params + at_.b2 + n * b, n), b3(params + at_.b3 + n * b, n);
    if (improved()) {
      pass.shift.noalias() = pass.w2 * pass.bias;
      pass.shift += b2;
      pass.z = pass.second.colwise() + pass.shift;
      gelu_gate(pass.z, slope2);
    } else {
      Matrix& bent = pass.bent[count(b)];
      bent = pass.shared.colwise() + pass.bias;
      tanh_of(bent);
      pass.z.noalias() = pass.w2 * bent;
      pass.z.colwise() += b2;
      sigmoid_gate(pass.z, slope2);
    }
    pass.flipped = pass.z.colwise().reverse();
    pass.flipped.colwise() += b3;
    if (improved())
      silu_gate(pass.flipped, slope3);
    else
      relu_gate(pass.flipped, slope3);
    pass.sum += pass.flipped;
  }
  pass.out = ConstVectorMap(params + at_.check, n).asDiagonal() * pass.sum;
  pass.out.colwise() += ConstVectorMap(params + at_.b4, n);
}

/// From pass.dout to dw1, dw2 and din.
void StnnPublishedNetwork::blocks_back(const double* params, Pass& pass, double* dp) const {
  const Index n = shape_.size, batch = pass.in.cols();
  VectorMap(dp + at_.check, n) += pass.sum.cwiseProduct(pass.dout).rowwise().sum();
  VectorMap(dp + at_.b4, n) += pass.dout.rowwise().sum();
  pass.dout.array().colwise() *= ConstVectorMap(params + at_.check, n).array();
  pass.dw2.setZero(n, 2 * n);
  pass.dshared.setZero(2 * n, batch);
  pass.dsecond.setZero(n, batch);
  for (Index b = 0; b < shape_.blocks; ++b) {
    pass.dz = pass.dout.cwiseProduct(pass.slope3[count(b)]);
    pass.bias2_gradient = pass.dz.rowwise().sum();
    VectorMap(dp + at_.b3 + n * b, n) += pass.bias2_gradient;
    pass.dback = pass.dz.colwise().reverse();
    pass.dback.array() *= pass.slope2[count(b)].array();
    pass.bias2_gradient = pass.dback.rowwise().sum();
    VectorMap(dp + at_.b2 + n * b, n) += pass.bias2_gradient;
    if (improved()) {
      pass.dsecond += pass.dback;
      pass.bias = ConstVectorMap(params + at_.b1 + 2 * n * b, 2 * n);
      pass.dw2.noalias() += pass.bias2_gradient * pass.bias.transpose();
      pass.bias_gradient.noalias() = pass.w2.transpose() * pass.bias2_gradient;
    } else {
      const Matrix& bent = pass.bent[count(b)];
      pass.dw2.noalias() += pass.dback * bent.transpose();
      pass.dhidden.noalias() = pass.w2.transpose() * pass.dback;
      pass.dhidden.array() *= 1 - bent.array().square();
      pass.dshared += pass.dhidden;
      pass.bias_gradient = pass.dhidden.rowwise().sum();
    }
    VectorMap(dp + at_.b1 + 2 * n * b, 2 * n) += pass.bias_gradient;
  }
  if (improved()) {
    pass.dw2.noalias() += pass.dsecond * pass.shared.transpose();
    pass.dshared.noalias() = pass.w2.transpose() * pass.dsecond;
    pass.dshared.array() *= 1 - pass.shared.array().square();
  }
  pass.dw1.noalias() = pass.dshared * pass.in.transpose();
  pass.din.noalias() = pass.w1.transpose() * pass.dshared;
}

void StnnPublishedNetwork::run_dense(const double* params, Pass& pass) const {
  const Index n = shape_.size, h = shape_.hidden;
  pass.hidden.noalias() = ConstMatrixMap(params + at_.in, h, n) * pass.out;
  pass.hidden.colwise() += ConstVectorMap(params + at_.in_bias, h);
  pass.hidden_slope.resize(h, pass.out.cols());
  silu_gate(pass.hidden, pass.hidden_slope);
  pass.net.noalias() = ConstMatrixMap(params + at_.out, n, h) * pass.hidden;
  pass.net.colwise() += ConstVectorMap(params + at_.out_bias, n);
  pass.net += pass.out;
}

/// pass.dout: the gradient of the network's output, becomes that of o.
void StnnPublishedNetwork::dense_back(const double* params, Pass& pass, double* dp) const {
  const Index n = shape_.size, h = shape_.hidden;
  MatrixMap(dp + at_.out, n, h).noalias() += pass.dout * pass.hidden.transpose();
  VectorMap(dp + at_.out_bias, n) += pass.dout.rowwise().sum();
  pass.dhidden.noalias() = ConstMatrixMap(params + at_.out, n, h).transpose() * pass.dout;
  pass.dhidden.array() *= pass.hidden_slope.array();
  MatrixMap(dp + at_.in, h, n).noalias() += pass.dhidden * pass.out.transpose();
  VectorMap(dp + at_.in_bias, h) += pass.dhidden.rowwise().sum();
  pass.dout.noalias() += ConstMatrixMap(params + at_.in, h, n).transpose() * pass.dhidden;
}

void StnnPublishedNetwork::norm_forward(const double* params, const Matrix& x, Pass& pass) const {
  const Index n = shape_.size;
  const auto size = static_cast<double>(n);
  pass.centred = x.rowwise() - x.colwise().mean();
  pass.inverse = (pass.centred.colwise().squaredNorm().array() / size + kNormEpsilon).rsqrt();
  pass.centred.array().rowwise() *= pass.inverse.array();
  pass.in = ConstVectorMap(params + at_.norm, n).asDiagonal() * pass.centred;
  pass.in.colwise() += ConstVectorMap(params + at_.norm_bias, n);
}

/// pass.din becomes the gradient of the layer norm's input.
void StnnPublishedNetwork::norm_back(const double* params, Pass& pass, double* dp) const {
  const Index n = shape_.size;
  const auto size = static_cast<double>(n);
  VectorMap(dp + at_.norm, n) += pass.din.cwiseProduct(pass.centred).rowwise().sum();
  VectorMap(dp + at_.norm_bias, n) += pass.din.rowwise().sum();
  pass.din.array().colwise() *= ConstVectorMap(params + at_.norm, n).array();
  const Eigen::RowVectorXd mean = pass.din.colwise().mean();
  const Eigen::RowVectorXd along = pass.din.cwiseProduct(pass.centred).colwise().sum() / size;
  pass.din.rowwise() -= mean;
  pass.din -= pass.centred * along.asDiagonal();
  pass.din.array().rowwise() *= pass.inverse.array();
}

void StnnPublishedNetwork::forward(ParamsRef params, const Matrix& x, Matrix& y, Tape& tape) const {
  Pass& pass = static_cast<Pass&>(tape);
  const double* numbers = params.data();
  assemble(numbers, pass);
  if (improved() && shape_.layer_norm)
    norm_forward(numbers, x, pass);
  else
    pass.in = x;
  run_blocks(numbers, pass);
  if (!improved()) {
    y = pass.out;
    return;
  }
  run_dense(numbers, pass);
  y = x + std::exp(params[at_.scale]) * shape_.dt * pass.net;
}

void StnnPublishedNetwork::backward(ParamsRef params, Tape& tape, const Matrix& dy, GradientRef dp, Matrix* dx) const {
  Pass& pass = static_cast<Pass&>(tape);
  const double* numbers = params.data();
  pass.dout = dy;
  if (improved()) {
    const double factor = std::exp(params[at_.scale]) * shape_.dt;
    dp[at_.scale] += factor * dy.cwiseProduct(pass.net).sum();
    pass.dout *= factor;
    dense_back(numbers, pass, dp.data());
  }
  blocks_back(numbers, pass, dp.data());
  assemble_back(numbers, pass, dp.data());
  if (improved() && shape_.layer_norm) norm_back(numbers, pass, dp.data());
  if (dx == nullptr) return;
  *dx = pass.din;
  if (improved()) *dx += dy;
}

double StnnPublishedNetwork::bias_spread(ParamsRef params) const {
  const Index n = shape_.size, p = shape_.blocks;
  double spread = 0;
  const auto look = [&](Index begin, Index rows) {
    const ConstMatrixMap biases(params.data() + begin, rows, p);
    spread = std::max(spread, (biases.rowwise().maxCoeff() - biases.rowwise().minCoeff()).maxCoeff());
  };
  look(at_.b1, 2 * n);
  look(at_.b2, n);
  look(at_.b3, n);
  return spread;
}

Json StnnPublishedNetwork::to_json() const {
  Json json = Json::object();
  json["type"] = "stnn_published";
  const Json shape = filigree::to_json(shape_);  // items() only refers to it
  for (const auto& [key, value] : shape.items()) json[key] = value;
  return json;
}

namespace {

NetworkPtr read_published(const Json& json, const std::string& where) {
  if (!json.is_object() || !json.contains("type") || json["type"] != "stnn_published") return nullptr;
  Json shape = json;
  shape.erase("type");
  return std::make_shared<StnnPublishedNetwork>(from_json<StnnPublishedNetwork::Shape>(shape, where));
}

}  // namespace

ModelPtr fit_stnn_published(const Dataset& data, const StnnPublishedOptions& options, const TrainingHooks& hooks) {
  data.check(2);
  if (data.num_controls() > 0) {
    fail("the published structured network takes no controls, but the data has {}; use stnn", data.num_controls());
  }
  Scaling scaling = scaling_of(data);
  if (!options.normalise) scaling.states = Normaliser::identity(data.dimension());
  const bool improved = options.form == PublishedForm::improved;
  const StnnPublishedNetwork::Shape shape{.size = data.dimension(),
                                          .blocks = options.blocks,
                                          .form = options.form,
                                          .hidden = improved ? options.hidden : 0,
                                          .layer_norm = improved && options.layer_norm,
                                          .dt = data.dt};
  const auto network = std::make_shared<StnnPublishedNetwork>(
      shape, StnnPublishedNetwork::Start{options.own_biases, options.residual_scale});
  const TrainingOptions& training = options.training;
  const Split split = split_runs(normalised_runs(data, scaling), training.validation_share, training.seed);
  const StepMap map{network, 1};
  Random random = Random(static_cast<std::uint64_t>(training.seed)).fork(0);
  const TrainingResult result = train(map, network->initial(random), split.training, split.validation, training, hooks);
  Json about;
  about["epochs"] = result.epochs;
  about["best_epoch"] = result.best_epoch;
  about["loss"] = result.loss;
  about["validation"] = result.score;
  about["stopped"] = result.stopped;
  about["block_bias_spread"] = network->bias_spread(result.params);
  return make_network_model("stnn_published", map, std::move(scaling), result.params, std::move(about));
}

ModelPtr load_stnn_published(const Json& json, const std::string& where) {
  return load_network_model(json, "stnn_published", where, read_published);
}

}  // namespace filigree::dynamics
