#include "dynamics/mlp.h"

#include <cmath>
#include <utility>

#include "base/error.h"
#include "dynamics/network_model.h"

namespace filigree::dynamics {
namespace {

constexpr double kSwishDivisor = 1.1;
constexpr double kSwishStart = 0.5;

struct MlpTape : Tape {
  std::vector<Matrix> in;     // of every layer
  std::vector<Matrix> sum;    // W x + b of the hidden layers
  std::vector<Matrix> slope;  // of the activation there
  Matrix delta, next;
};

auto sigmoid(const auto& z) { return ((-z).exp() + 1).inverse(); }

double sigmoid_of(double z) { return 1 / (1 + std::exp(-z)); }

/// a = activation(z). Exponentials, because Eigen has them for whole registers; the error of tanh stays below 1e-15.
void activate(Activation kind, double steepness, const Matrix& z, Matrix& a) {
  a.resize(z.rows(), z.cols());
  const auto x = z.array();
  switch (kind) {
    case Activation::tanh:
      a.array() = 1 - 2 * ((2 * x).exp() + 1).inverse();
      return;
    case Activation::relu:
      a = z.cwiseMax(0.0);
      return;
    case Activation::silu:
      a.array() = x * sigmoid(x);
      return;
    case Activation::swish:
      a.array() = x * sigmoid(steepness * x) / kSwishDivisor;
      return;
    case Activation::sine:
      a.array() = x.sin();
      return;
  }
}

void slopes(Activation kind, double steepness, const Matrix& z, const Matrix& a, Matrix& slope) {
  slope.resize(z.rows(), z.cols());
  const auto x = z.array();
  const auto gate = [&](double s) { return sigmoid(s * x); };
  switch (kind) {
    case Activation::tanh:
      slope.array() = 1 - a.array().square();
      return;
    case Activation::relu:
      slope.array() = (x > 0).cast<double>();
      return;
    case Activation::silu:
    case Activation::swish: {
      const double s = kind == Activation::silu ? 1.0 : steepness;
      slope.array() = gate(s);
      slope.array() *= 1 + s * x * (1 - slope.array());
      if (kind == Activation::swish) slope /= kSwishDivisor;
      return;
    }
    case Activation::sine:
      slope.array() = x.cos();
      return;
  }
}

/// ∂a/∂b of the swish's own number, times what comes from above.
double steepness_gradient(double b, double steepness, const auto& z, const auto& da) {
  const auto gate = sigmoid(steepness * z);
  return (da * z.square() * gate * (1 - gate)).sum() / kSwishDivisor * sigmoid_of(b);
}

}  // namespace

Mlp::Mlp(Shape shape) : shape_(std::move(shape)) {
  FILIGREE_ASSERT(shape_.widths.size() >= 2);
  offsets_.push_back(0);
  for (std::size_t layer = 0; layer < num_layers(); ++layer) {
    const Eigen::Index in = shape_.widths[layer], out = shape_.widths[layer + 1];
    const bool swish = shape_.activation == Activation::swish && layer + 1 < num_layers();
    offsets_.push_back(offsets_.back() + out * in + out + (swish ? 1 : 0));
  }
}

std::int64_t Mlp::operations() const {
  constexpr std::int64_t kOfActivation[] = {5, 1, 4, 6, 1};  // as activate() computes them
  std::int64_t count = 0;
  for (std::size_t layer = 0; layer < num_layers(); ++layer) {
    const Eigen::Index in = shape_.widths[layer], out = shape_.widths[layer + 1];
    count += 2 * in * out;
    if (layer + 1 < num_layers()) count += out * kOfActivation[static_cast<std::size_t>(shape_.activation)];
  }
  return count;
}

Vector Mlp::initial(Random& random) const {
  Vector params = Vector::Zero(num_parameters());
  for (std::size_t layer = 0; layer < num_layers(); ++layer) {
    const Eigen::Index in = shape_.widths[layer], out = shape_.widths[layer + 1];
    const double gain = shape_.activation == Activation::relu ? 2 : 1;
    double deviation =
        shape_.weight_deviation > 0 ? shape_.weight_deviation : std::sqrt(gain / static_cast<double>(in));
    if (layer + 1 == num_layers()) deviation *= shape_.last_layer;
    for (Eigen::Index i = 0; i < in * out; ++i) params[offsets_[layer] + i] = deviation * random.normal();
    if (shape_.activation == Activation::swish && layer + 1 < num_layers()) {
      params[offsets_[layer + 1] - 1] = kSwishStart;
    }
  }
  return params;
}

Eigen::Map<const Matrix> Mlp::weights(ParamsRef params, std::size_t layer) const {
  return {params.data() + offsets_[layer], shape_.widths[layer + 1], shape_.widths[layer]};
}

double Mlp::slope_parameter(ParamsRef params, std::size_t layer) const {
  return shape_.activation == Activation::swish ? std::log1p(std::exp(params[offsets_[layer + 1] - 1])) : 1.0;
}

std::unique_ptr<Tape> Mlp::make_tape() const {
  auto tape = std::make_unique<MlpTape>();
  tape->in.resize(num_layers());
  tape->sum.resize(num_layers());
  tape->slope.resize(num_layers());
  return tape;
}

void Mlp::forward(ParamsRef params, const Matrix& x, Matrix& y, Tape& tape) const {
  auto& own = static_cast<MlpTape&>(tape);
  own.in[0] = x;
  for (std::size_t layer = 0; layer < num_layers(); ++layer) {
    const bool last = layer + 1 == num_layers();
    Matrix& sum = last ? y : own.sum[layer];
    const Eigen::Index in = shape_.widths[layer], out = shape_.widths[layer + 1];
    sum.resize(out, x.cols());
    sum.noalias() = weights(params, layer) * own.in[layer];
    sum.colwise() += params.segment(offsets_[layer] + in * out, out);
    if (!last) activate(shape_.activation, slope_parameter(params, layer), sum, own.in[layer + 1]);
  }
}

void Mlp::backward(ParamsRef params, Tape& tape, const Matrix& dy, GradientRef dp, Matrix* dx) const {
  auto& own = static_cast<MlpTape&>(tape);
  own.delta = dy;
  for (std::size_t layer = num_layers(); layer-- > 0;) {
    const Eigen::Index in = shape_.widths[layer], out = shape_.widths[layer + 1];
    if (layer + 1 < num_layers()) {
      const double steepness = slope_parameter(params, layer);
      if (shape_.activation == Activation::swish) {
        const Eigen::Index own_number = offsets_[layer + 1] - 1;
        dp[own_number] += steepness_gradient(params[own_number], steepness, own.sum[layer].array(), own.delta.array());
      }
      slopes(shape_.activation, steepness, own.sum[layer], own.in[layer + 1], own.slope[layer]);
      own.delta.array() *= own.slope[layer].array();
    }
    Eigen::Map<Matrix> dw(dp.data() + offsets_[layer], out, in);
    dw.noalias() += own.delta * own.in[layer].transpose();
    dp.segment(offsets_[layer] + in * out, out) += own.delta.rowwise().sum();
    if (layer == 0 && dx == nullptr) return;
    Matrix& target = layer == 0 ? *dx : own.next;
    target.resize(in, dy.cols());
    target.noalias() = weights(params, layer).transpose() * own.delta;
    if (layer > 0) own.delta.swap(own.next);
  }
}

void Mlp::jacobian(ParamsRef params, const Matrix& x, Matrix& y, Matrix& jp, Matrix& jx) const {
  const std::unique_ptr<Tape> tape = make_tape();
  auto& own = static_cast<MlpTape&>(*tape);
  forward(params, x, y, own);
  const Eigen::Index n = outputs(), count = x.cols();
  for (std::size_t layer = 0; layer + 1 < num_layers(); ++layer) {
    slopes(shape_.activation, slope_parameter(params, layer), own.sum[layer], own.in[layer + 1], own.slope[layer]);
  }
  jp.resize(num_parameters(), n * count);
  jx.resize(inputs(), n * count);
  for (Eigen::Index o = 0; o < n; ++o) {
    own.delta = Matrix::Zero(n, count);
    own.delta.row(o).setOnes();
    for (std::size_t layer = num_layers(); layer-- > 0;) {
      const Eigen::Index in = shape_.widths[layer], out = shape_.widths[layer + 1];
      if (layer + 1 < num_layers()) {
        if (shape_.activation == Activation::swish) {
          const Eigen::Index number = offsets_[layer + 1] - 1;
          for (Eigen::Index s = 0; s < count; ++s) {
            jp(number, s * n + o) = steepness_gradient(params[number], slope_parameter(params, layer),
                                                       own.sum[layer].col(s).array(), own.delta.col(s).array());
          }
        }
        own.delta.array() *= own.slope[layer].array();
      }
      for (Eigen::Index s = 0; s < count; ++s) {
        double* column = jp.col(s * n + o).data() + offsets_[layer];
        Eigen::Map<Matrix>(column, out, in).noalias() = own.delta.col(s) * own.in[layer].col(s).transpose();
        Eigen::Map<Vector>(column + out * in, out) = own.delta.col(s);
      }
      own.next.noalias() = weights(params, layer).transpose() * own.delta;
      own.delta.swap(own.next);
    }
    for (Eigen::Index s = 0; s < count; ++s) jx.col(s * n + o) = own.delta.col(s);
  }
}

Json Mlp::to_json() const {
  Json json;
  json["type"] = "mlp";
  json["widths"] = shape_.widths;
  json["activation"] = std::string(enum_name(shape_.activation));
  return json;
}

ModelPtr fit_mlp(const Dataset& data, const MlpOptions& options, const TrainingHooks& hooks) {
  const auto build = [&](const Scaling& scaling) -> NetworkPtr {
    const Eigen::Index n = data.dimension();
    Mlp::Shape shape;
    shape.widths.push_back(n * options.history + data.num_controls());
    shape.widths.insert(shape.widths.end(), options.hidden.begin(), options.hidden.end());
    shape.widths.push_back(n);
    shape.activation = options.activation;
    if (options.residual) shape.last_layer = 0.1;  // the first forecast is then nearly "no change"
    auto inner = std::make_shared<Mlp>(shape);
    if (!options.residual) return inner;
    return std::make_shared<ScaledNetwork>(inner, scaling.change, true, n * (options.history - 1));
  };
  return fit_network(data, {"mlp", options.history, options.training, build}, hooks);
}

ModelPtr load_mlp(const Json& json, const std::string& where) { return load_network_model(json, "mlp", where); }

}  // namespace filigree::dynamics
