#include "dynamics/stnn_network.h"

#include <cmath>
#include <utility>

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;
using Array = Eigen::ArrayXXd;

structured::Split split(Array& re, Array& im) { return {re.data(), im.data()}; }
std::size_t count(Index value) { return static_cast<std::size_t>(value); }

void check_shape(const StnnShape& s) {
  if (s.channels < 2 || !structured::is_power_of_two(count(s.channels))) {
    fail("the channels of a structured network must be a power of two, 2 or more, not {}", s.channels);
  }
  if (!s.lift && s.inputs > s.channels) {
    fail("a window of {} numbers does not fit into {} channels; take {} channels or a lift", s.inputs, s.channels,
         structured::next_power_of_two(count(s.inputs)));
  }
  FILIGREE_ASSERT(s.inputs > 0 && s.outputs > 0 && s.blocks > 0 && s.layers > 0);
}

const StnnShape& checked(const StnnShape& shape) {
  check_shape(shape);
  return shape;
}

}  // namespace

/// What one weight matrix leaves for the gradient, (samples, n).
struct Kept {
  Array u_re, u_im;                         // F D x
  Array pre, out;                           // before and after the activation
  std::vector<double> analysis, synthesis;  // traces of learned butterflies
};

struct StnnNetwork::Pass : Tape {
  Array x, z, y;           // input, channels, output
  std::vector<Kept> kept;  // layer by layer, block by block
  std::vector<double> work;
  Array v_re, v_im, g, w_re, w_im, dz;  // scratch, (samples, n)
  Array grad, dx, dy;                   // of backward and jacobian
  Index samples = -1;
  bool whole = false;  // `kept` belongs to x

  // One sample: (n) or n numbers of every block.
  std::vector<double> shared, shared_re, shared_im, re, im, value, bent, scratch;

  void resize(Index lanes, const StnnNetwork& network);
  void resize_single(const StnnNetwork& network);
};

void StnnNetwork::Pass::resize(Index lanes, const StnnNetwork& network) {
  if (samples == lanes) return;
  samples = lanes;
  const StnnShape& s = network.shape_;
  x.resize(lanes, s.inputs);
  y.resize(lanes, s.outputs);
  for (Array* array : {&z, &v_re, &v_im, &g, &w_re, &w_im, &dz}) array->resize(lanes, s.channels);
  kept.resize(count(s.layers * s.blocks));
  for (Kept& k : kept) {
    for (Array* array : {&k.u_re, &k.u_im, &k.pre, &k.out}) array->resize(lanes, s.channels);
    if (s.factors == Factors::twiddles) {
      k.analysis.resize(network.butterfly_.trace_size(count(lanes)));
      k.synthesis.resize(network.butterfly_.trace_size(count(lanes)));
    }
  }
  work.resize(count(2 * s.channels * lanes));
}

void StnnNetwork::Pass::resize_single(const StnnNetwork& network) {
  if (!scratch.empty()) return;
  const std::size_t n = count(network.shape_.channels), blocks = count(network.shape_.blocks);
  for (std::vector<double>* one : {&shared, &shared_re, &shared_im}) one->resize(n);
  for (std::vector<double>* all : {&re, &im, &value, &bent}) all->resize(n * blocks);
  scratch.resize(network.skew_.work_size(blocks));
}

StnnNetwork::StnnNetwork(const StnnShape& shape, StnnStart start)
    : shape_(checked(shape)),
      skew_(count(shape.channels)),
      butterfly_(count(shape.channels), structured::Butterfly::Kind::twiddles),
      start_(std::move(start)) {
  const Index n = shape.channels, blocks = shape.blocks;
  per_weight_ = 3 * n;
  if (shape.factors == Factors::twiddles) per_weight_ += static_cast<Index>(butterfly_.parameters());
  layout_.lift_bias = shape.lift ? n * shape.inputs : 0;
  layout_.weights = shape.lift ? layout_.lift_bias + n : 0;
  layout_.readout = layout_.weights + shape.layers * blocks * per_weight_;
  layout_.bias = layout_.readout + shape.outputs * blocks * n;
  layout_.linear = layout_.bias + shape.outputs;
  layout_.end = layout_.linear + shape.outputs * shape.inputs;
}

std::int64_t StnnNetwork::operations() const {
  const StnnShape& s = shape_;
  const std::int64_t n = s.channels, weights = std::int64_t{s.layers} * s.blocks;
  std::int64_t total = weights * (static_cast<std::int64_t>(skew_.operations()) + 2 * n);  // bias, activation
  if (s.lift) total += 2 * n * s.inputs;
  total += 2 * s.outputs * (s.blocks * n + s.inputs);
  // Blocks that stand side by side at the input share its transform where their Fourier factors are exact.
  if (s.factors == Factors::fourier) {
    total -= (s.blocks - 1) * (static_cast<std::int64_t>(skew_.operations()) - 6 * n) / 2;
  }
  return total;
}

void StnnNetwork::set_hankel(Vector& params, const Weight& weight, const std::vector<double>& symbol) const {
  // Row i of the Hankel matrix is row n - 1 - i of the Toeplitz matrix with the same numbers.
  std::vector<double> work(skew_.work_size(1));
  skew_.spectrum(symbol.data(), {params.data() + weight.re, params.data() + weight.im}, work.data());
}

Vector StnnNetwork::initial(Random& random) const {
  const StnnShape& s = shape_;
  const Index n = s.channels;
  Vector params = Vector::Zero(layout_.end);
  const double unit = 1 / std::sqrt(static_cast<double>(s.inputs));
  for (Index i = 0; i < layout_.weights; ++i) {
    params(i) = i < layout_.lift_bias ? unit * random.normal() : random.uniform(-1, 1);
    if (i < layout_.lift_bias && start_.gains.size() > 0) params(i) *= start_.gains(i % s.inputs);
  }
  const std::vector<double> fourier = butterfly_.fourier();
  std::vector<double> symbol(count(2 * n - 1));
  const Vector& series = start_.series;
  for (int layer = 0; layer < s.layers; ++layer) {
    for (int block = 0; block < s.blocks; ++block) {
      const Weight w = weight(layer, block);
      const bool measured = layer == 0 && series.size() >= 2 * n - 1;
      const Index from = measured ? static_cast<Index>(random.below(count(series.size() - 2 * n + 2))) : 0;
      double square = 0;
      for (std::size_t k = 0; k < symbol.size(); ++k) {
        symbol[k] = measured ? series(from + static_cast<Index>(k)) : random.normal();
        square += symbol[k] * symbol[k];
      }
      const double norm = std::sqrt(square / static_cast<double>(symbol.size()) * static_cast<double>(n)) + 1e-300;
      for (double& entry : symbol) entry /= norm;
      set_hankel(params, w, symbol);
      if (s.factors == Factors::twiddles) std::copy(fourier.begin(), fourier.end(), params.data() + w.twiddles);
      for (Index k = 0; k < n; ++k) params(w.bias + k) = random.uniform(-1, 1);
    }
  }
  const double small = 0.1 / std::sqrt(static_cast<double>(n * s.blocks));
  for (Index i = layout_.readout; i < layout_.bias; ++i) params(i) = small * random.normal();
  return params;
}

std::unique_ptr<Tape> StnnNetwork::make_tape() const { return std::make_unique<Pass>(); }

/// One weight matrix: kept.u of the block and layer from its input, then pre and out.
void StnnNetwork::operate(const double* params, Pass& pass, int layer, int block) const {
  const Weight w = weight(layer, block);
  const std::size_t index = count(layer * shape_.blocks + block), lanes = count(pass.samples);
  Kept& kept = pass.kept[index];
  const Array& input = layer == 0 ? pass.z : pass.kept[index - count(shape_.blocks)].out;
  const structured::Split u = split(kept.u_re, kept.u_im), v = split(pass.v_re, pass.v_im);
  const bool learned = shape_.factors == Factors::twiddles;
  if (learned) {
    skew_.twist(input.data(), u, lanes);
    butterfly_.multiply(params + w.twiddles, u, lanes, kept.analysis.data(), pass.work.data());
  } else if (layer == 0 && block > 0) {
    kept.u_re = pass.kept[0].u_re;
    kept.u_im = pass.kept[0].u_im;
  } else {
    skew_.analyse(input.data(), u, lanes, pass.work.data());
  }
  skew_.scale({params + w.re, params + w.im}, true, false, u, v, lanes);
  if (learned) {  // B^* v = conj(B^T conj(v))
    pass.v_im = -pass.v_im;
    butterfly_.multiply_transposed(params + w.twiddles, v, lanes, kept.synthesis.data(), pass.work.data());
    pass.v_im = -pass.v_im;
    skew_.untwist(v, pass.g.data(), lanes);
  } else {
    skew_.synthesise(v, pass.g.data(), lanes, pass.work.data());
  }
  const Index n = shape_.channels;
  for (Index k = 0; k < n; ++k) kept.pre.col(k) = pass.g.col(n - 1 - k) + params[w.bias + k];
  bend(shape_.bend, kept.pre.data(), kept.out.data(), count(kept.pre.size()));
}

void StnnNetwork::run(const double* params, Pass& pass) const {
  const StnnShape& s = shape_;
  const Index n = s.channels;
  if (s.lift) {
    const Eigen::Map<const Matrix> a(params + layout_.lift, s.inputs, n);
    const Eigen::Map<const Vector> bias(params + layout_.lift_bias, n);
    pass.z.matrix().noalias() = pass.x.matrix() * a;
    pass.z.rowwise() += bias.transpose().array();
  } else {
    pass.z.leftCols(s.inputs) = pass.x;
    pass.z.rightCols(n - s.inputs).setZero();
  }
  for (int layer = 0; layer < s.layers; ++layer) {
    for (int block = 0; block < s.blocks; ++block) operate(params, pass, layer, block);
  }
  const Eigen::Map<const Matrix> linear(params + layout_.linear, s.inputs, s.outputs);
  const Eigen::Map<const Vector> bias(params + layout_.bias, s.outputs);
  pass.y.matrix().noalias() = pass.x.matrix() * linear;
  pass.y.rowwise() += bias.transpose().array();
  for (int block = 0; block < s.blocks; ++block) {
    const Array& h = pass.kept[count((s.layers - 1) * s.blocks + block)].out;
    for (Index o = 0; o < s.outputs; ++o) {
      const Eigen::Map<const Vector> c(params + layout_.readout + (o * s.blocks + block) * n, n);
      pass.y.matrix().col(o).noalias() += h.matrix() * c;
    }
  }
}

/// pass.re, im = λ ⊙ u, block by block; u is shared by all blocks in the first layer.
void StnnNetwork::scale_single(const double* params, Pass& pass, int layer) const {
  const std::size_t n = count(shape_.channels), blocks = count(shape_.blocks);
  for (std::size_t b = 0; b < blocks; ++b) {
    const Weight w = weight(layer, static_cast<int>(b));
    const double* __restrict lambda_re = params + w.re, * __restrict lambda_im = params + w.im;
    for (std::size_t k = 0; k < n; ++k) {
      const std::size_t at = k * blocks + b;
      const double re = layer == 0 ? pass.shared_re[k] : pass.re[at];
      const double im = layer == 0 ? pass.shared_im[k] : pass.im[at];
      pass.re[at] = lambda_re[k] * re - lambda_im[k] * im;
      pass.im[at] = lambda_re[k] * im + lambda_im[k] * re;
    }
  }
}

/// What run() does, for one sample: the blocks stand side by side in the lanes of the transforms, and nothing is kept.
void StnnNetwork::run_single(const double* params, const double* x, double* y, Pass& pass) const {
  const StnnShape& s = shape_;
  const std::size_t n = count(s.channels), blocks = count(s.blocks), inputs = count(s.inputs);
  for (std::size_t k = 0; k < n; ++k) {
    double sum = s.lift ? params[count(layout_.lift_bias) + k] : k < inputs ? x[k] : 0;
    for (std::size_t j = 0; s.lift && j < inputs; ++j) sum += params[count(layout_.lift) + k * inputs + j] * x[j];
    pass.shared[k] = sum;
  }
  const structured::Split v{pass.re.data(), pass.im.data()};
  double* __restrict value = pass.value.data();  // (n, blocks)
  double* __restrict bent = pass.bent.data();    // (blocks, n)
  for (int layer = 0; layer < s.layers; ++layer) {
    if (layer == 0) {
      skew_.analyse(pass.shared.data(), {pass.shared_re.data(), pass.shared_im.data()}, 1, pass.scratch.data());
    } else {
      for (std::size_t b = 0; b < blocks; ++b) {
        for (std::size_t k = 0; k < n; ++k) value[k * blocks + b] = bent[b * n + k];
      }
      skew_.analyse(value, v, blocks, pass.scratch.data());
    }
    scale_single(params, pass, layer);
    skew_.synthesise(v, value, blocks, pass.scratch.data());
    for (std::size_t b = 0; b < blocks; ++b) {
      const double* bias = params + weight(layer, static_cast<int>(b)).bias;
      for (std::size_t k = 0; k < n; ++k) bent[b * n + k] = value[(n - 1 - k) * blocks + b] + bias[k];
    }
    bend(s.bend, bent, bent, n * blocks);
  }
  const Eigen::Map<const Vector> h(bent, s.blocks * s.channels), in(x, s.inputs);
  for (Index o = 0; o < s.outputs; ++o) {
    const Eigen::Map<const Vector> c(params + layout_.readout + o * h.size(), h.size());
    const Eigen::Map<const Vector> linear(params + layout_.linear + o * s.inputs, s.inputs);
    y[o] = params[layout_.bias + o] + linear.dot(in) + c.dot(h);
  }
}

void StnnNetwork::forward(ParamsRef params, const Matrix& x, Matrix& y, Tape& tape) const {
  Pass& pass = static_cast<Pass&>(tape);
  if (x.cols() == 1 && shape_.factors == Factors::fourier) {
    pass.resize_single(*this);
    pass.x = x.transpose().array();
    pass.whole = false;
    y.resize(shape_.outputs, 1);
    return run_single(params.data(), pass.x.data(), y.data(), pass);
  }
  pass.resize(x.cols(), *this);
  pass.x = x.transpose().array();
  run(params.data(), pass);
  pass.whole = true;
  y = pass.y.matrix().transpose();
}

/// pass.g holds the gradient of the block's output and becomes that of its input; columns of grad are set.
void StnnNetwork::operate_back(const double* params, Pass& pass, int layer, int block, Lanes& grad) const {
  const Weight w = weight(layer, block);
  const std::size_t lanes = count(pass.samples);
  const Index n = shape_.channels;
  Kept& kept = pass.kept[count(layer * shape_.blocks + block)];
  bend_backward(shape_.bend, kept.pre.data(), kept.out.data(), pass.g.data(), count(pass.g.size()));
  grad.middleCols(w.bias, n) = pass.g;
  pass.dz = pass.g.rowwise().reverse();
  const structured::Split u = split(kept.u_re, kept.u_im), v = split(pass.v_re, pass.v_im),
                          q = split(pass.w_re, pass.w_im);
  const bool learned = shape_.factors == Factors::twiddles;
  if (learned) {
    skew_.twist(pass.dz.data(), v, lanes);
    grad.middleCols(w.twiddles, static_cast<Index>(butterfly_.parameters())).setZero();
    pass.v_im = -pass.v_im;
    butterfly_.backward_transposed(params + w.twiddles, v, lanes, kept.synthesis.data(), grad.col(w.twiddles).data(),
                                   pass.work.data());
    grad.middleCols(w.twiddles, static_cast<Index>(butterfly_.parameters())) /= static_cast<double>(n);
    pass.v_im = -pass.v_im;
  } else {
    skew_.analyse(pass.dz.data(), v, lanes, pass.work.data());
  }
  skew_.gradient(v, u, {grad.col(w.re).data(), grad.col(w.im).data()}, lanes);
  skew_.scale({params + w.re, params + w.im}, true, true, v, q, lanes);
  if (learned) {
    pass.w_re /= static_cast<double>(n);
    pass.w_im /= static_cast<double>(n);
    butterfly_.backward(params + w.twiddles, q, lanes, kept.analysis.data(), grad.col(w.twiddles).data(),
                        pass.work.data());
    pass.w_re *= static_cast<double>(n);
    pass.w_im *= static_cast<double>(n);
    skew_.untwist(q, pass.g.data(), lanes);
  } else {
    skew_.synthesise(q, pass.g.data(), lanes, pass.work.data());
  }
}

/// Gradients lane by lane: grad (samples, parameters), dx (samples, inputs), from dy (samples, outputs).
void StnnNetwork::reverse(const double* params, Pass& pass, const Lanes& dy, Lanes& grad, Lanes& dx) const {
  const StnnShape& s = shape_;
  const Index n = s.channels, lanes = pass.samples;
  grad.resize(lanes, layout_.end);
  const Eigen::Map<const Matrix> linear(params + layout_.linear, s.inputs, s.outputs);
  dx.resize(lanes, s.inputs);
  dx.matrix().noalias() = dy.matrix() * linear.transpose();
  grad.middleCols(layout_.bias, s.outputs) = dy;
  for (Index o = 0; o < s.outputs; ++o) {
    for (Index j = 0; j < s.inputs; ++j) grad.col(layout_.linear + o * s.inputs + j) = dy.col(o) * pass.x.col(j);
  }
  Array dz = Array::Zero(lanes, n);
  for (int block = 0; block < s.blocks; ++block) {
    const Array& h = pass.kept[count((s.layers - 1) * s.blocks + block)].out;
    pass.g.setZero();
    for (Index o = 0; o < s.outputs; ++o) {
      const Index at = layout_.readout + (o * s.blocks + block) * n;
      for (Index k = 0; k < n; ++k) {
        grad.col(at + k) = dy.col(o) * h.col(k);
        pass.g.col(k) += params[at + k] * dy.col(o);
      }
    }
    for (int layer = s.layers; layer-- > 0;) operate_back(params, pass, layer, block, grad);
    dz += pass.g;
  }
  if (!s.lift) {
    dx += dz.leftCols(s.inputs);
    return;
  }
  const Eigen::Map<const Matrix> a(params + layout_.lift, s.inputs, n);
  dx.matrix().noalias() += dz.matrix() * a.transpose();
  grad.middleCols(layout_.lift_bias, n) = dz;
  for (Index k = 0; k < n; ++k) {
    for (Index j = 0; j < s.inputs; ++j) grad.col(layout_.lift + k * s.inputs + j) = dz.col(k) * pass.x.col(j);
  }
}

void StnnNetwork::backward(ParamsRef params, Tape& tape, const Matrix& dy, GradientRef dp, Matrix* dx) const {
  Pass& pass = static_cast<Pass&>(tape);
  if (!pass.whole) {  // after the way of one sample
    pass.resize(1, *this);
    run(params.data(), pass);
    pass.whole = true;
  }
  pass.dy = dy.transpose().array();
  reverse(params.data(), pass, pass.dy, pass.grad, pass.dx);
  dp += pass.grad.matrix().colwise().sum().transpose();
  if (dx) *dx = pass.dx.matrix().transpose();
}

void StnnNetwork::jacobian(ParamsRef params, const Matrix& x, Matrix& y, Matrix& jp, Matrix& jx) const {
  thread_local Pass pass;
  pass.samples = -1;  // it may have served another shape
  pass.resize(x.cols(), *this);
  pass.x = x.transpose().array();
  run(params.data(), pass);
  y = pass.y.matrix().transpose();
  const Index outputs = shape_.outputs;
  jp.resize(layout_.end, outputs * x.cols());
  jx.resize(shape_.inputs, outputs * x.cols());
  for (Index o = 0; o < outputs; ++o) {
    pass.dy = Array::Zero(x.cols(), outputs);
    pass.dy.col(o).setOnes();
    reverse(params.data(), pass, pass.dy, pass.grad, pass.dx);
    for (Index s = 0; s < x.cols(); ++s) {
      jp.col(s * outputs + o) = pass.grad.row(s).matrix().transpose();
      jx.col(s * outputs + o) = pass.dx.row(s).matrix().transpose();
    }
  }
}

Json StnnNetwork::to_json() const {
  Json json = Json::object();
  json["type"] = "stnn";
  const Json shape = filigree::to_json(shape_);  // items() refers to it
  for (const auto& [key, value] : shape.items()) json[key] = value;
  return json;
}

}  // namespace filigree::dynamics
