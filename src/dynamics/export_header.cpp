#include "dynamics/export_header.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numbers>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "dynamics/mlp.h"
#include "dynamics/stnn.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;

/// Words that no namespace may be called: those of C++ and its library, and what <cmath> may put into the global
/// namespace.
constexpr std::string_view kTaken =
    " alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t "
    "class co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue "
    "decltype default delete do double dynamic_cast else enum explicit export extern false float for friend "
    "goto if inline int long main mutable namespace new noexcept not not_eq nullptr operator or or_eq private "
    "protected public register reinterpret_cast requires return short signed sizeof static static_assert "
    "static_cast std struct switch template this thread_local throw true try typedef typeid typename union "
    "unsigned using virtual void volatile wchar_t while xor xor_eq abs acos acosh asin asinh atan atan2 atanh "
    "cbrt ceil copysign cos cosh div double_t drem erf erfc exp exp2 expm1 fabs fdim finite float_t floor fma "
    "fmax fmin fmod frexp gamma hypot ilogb isinf isnan j0 j1 jn labs ldexp lgamma llabs llrint llround log "
    "log10 log1p log2 logb lrint lround modf nan nearbyint nextafter nexttoward pow remainder remquo rint "
    "round scalb scalbln scalbn signgam significand sin sinh size_t sqrt tan tanh tgamma trunc y0 y1 yn ";

void check_name(const std::string& name) {
  const auto letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; };
  const bool spelled =
      !name.empty() && letter(name[0]) && name.back() != '_' && name.find("__") == std::string::npos &&
      std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || c == '_' || (c >= '0' && c <= '9'); });
  if (!spelled) {
    fail("'{}' cannot be a namespace; take a letter, then letters, digits and single underscores", name);
  }
  if (kTaken.find(" " + name + " ") != std::string_view::npos) {
    fail("'{}' cannot be a namespace, because C++ uses this word; take another name", name);
  }
}

/// Text with {name} … replaced; other braces stay, as C++ has many.
std::string fill(std::string text, const std::vector<std::pair<std::string, std::string>>& values) {
  for (const auto& [key, value] : values) {
    const std::string mark = "@" + key + "@";
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + value.size())) {
      text.replace(at, mark.size(), value);
    }
  }
  return text;
}

std::string size_line(const char* name, Index value, const char* comment) {
  return fmt::format("constexpr std::size_t {} = {};  // {}\n", name, value, comment);
}

/// A table of doubles that read back to the same bits.
std::string table(const char* name, const double* values, Index size, const char* comment) {
  std::string text = fmt::format("// {}\ninline constexpr double {}[] = {{", comment, name);
  std::string line;
  for (Index i = 0; i < size; ++i) {
    if (!std::isfinite(values[i])) fail("the model cannot be exported: one of its numbers is not finite");
    std::string number = fmt::format("{:.17g}", values[i]);
    if (number.find_first_of(".e") == std::string::npos) number += ".0";
    if (i + 1 < size) number += ", ";
    if (line.size() + number.size() > 112 || line.empty()) {
      text += line + "\n    ";
      line.clear();
    }
    line += number;
  }
  return text + line + "};\n";
}

std::string table(const char* name, const Vector& values, const char* comment) {
  return table(name, values.data(), values.size(), comment);
}

/// What surrounds the network.
struct Wrapping {
  std::string method;
  Index states = 0, controls = 0, history = 1;
  Vector mean, scale, control_mean, control_scale;
  bool scaled = false, residual = false;
  Vector change;
  Index newest = 0;
  Json inner, training;
  Vector params;
  Cost cost;

  Index inputs() const { return history * states + controls; }
};

Vector row_of(const Json& json, const char* key) { return matrix_from_json(json[key], "model", key).reshaped(); }

Wrapping unwrap(const Json& json, const Model& model) {
  Wrapping w;
  w.method = model.method();
  w.history = model.history();
  w.cost = model.cost();
  w.mean = row_of(json, "mean");
  w.scale = row_of(json, "scale");
  w.control_mean = row_of(json, "control_mean");
  w.control_scale = row_of(json, "control_scale");
  w.params = row_of(json, "params");
  w.states = w.mean.size();
  w.controls = w.control_mean.size();
  w.inner = json["network"];
  if (w.inner["type"] == "scaled") {
    w.scaled = true;
    w.residual = w.inner["residual"].get<bool>();
    w.newest = w.inner["newest"].get<Index>();
    w.change = row_of(w.inner, "scale");
    const Json inner = w.inner["inner"];
    w.inner = inner;
  }
  const std::string type = w.inner["type"].get<std::string>();
  if (type != w.method) fail("a model '{}' around a network '{}' cannot be exported", w.method, type);
  if (json.contains("training")) w.training = json["training"];
  return w;
}

constexpr const char* kMlpCode = R"(
template <std::size_t In, std::size_t Out>
inline void dense(const double* weights, const double* x, double* y) {
  for (std::size_t i = 0; i < Out; ++i) y[i] = 0;
  for (std::size_t j = 0; j < In; ++j) {
    for (std::size_t i = 0; i < Out; ++i) y[i] += weights[j * Out + i] * x[j];
  }
  for (std::size_t i = 0; i < Out; ++i) y[i] += weights[In * Out + i];
}
)";

std::string mlp_activation(const std::string& kind) {
  if (kind == "tanh") return "std::tanh(x)";
  if (kind == "relu") return "x > 0 ? x : 0.0";
  if (kind == "sine") return "std::sin(x)";
  if (kind == "silu") return "x / (1 + std::exp(-x))";
  return "x / (1 + std::exp(-steepness * x)) / 1.1";
}

/// Tables and the function network() of a perceptron.
std::string mlp_text(const Wrapping& w) {
  Mlp::Shape shape;
  shape.widths = w.inner["widths"].get<std::vector<Index>>();
  const auto kind = w.inner["activation"].get<std::string>();
  shape.activation = *enum_from_name<Activation>(kind);
  const Mlp mlp(shape);
  const bool swish = shape.activation == Activation::swish;
  std::string tables, body;
  std::string from = "input";
  for (std::size_t layer = 0; layer < mlp.num_layers(); ++layer) {
    const bool last = layer + 1 == mlp.num_layers();
    const Index in = shape.widths[layer], out = shape.widths[layer + 1], begin = mlp.offset(layer);
    const std::string weights = fmt::format("layer{}", layer + 1);
    const std::string comment = fmt::format("weights {} x {} by columns, then {} biases", out, in, out);
    tables += table(weights.c_str(), w.params.data() + begin, in * out + out, comment.c_str());
    const std::string to = last ? "output" : fmt::format("h{}", layer + 1);
    if (!last) body += fmt::format("  double {}[{}];\n", to, out);
    body += fmt::format("  dense<{}, {}>({}, {}, {});\n", in, out, weights, from, to);
    if (!last && swish) {
      const double steepness = std::log1p(std::exp(w.params[mlp.offset(layer + 1) - 1]));
      body += fmt::format("  for (double& x : {}) x = bend(x, {:.17g});\n", to, steepness);
    } else if (!last) {
      body += fmt::format("  for (double& x : {}) x = bend(x);\n", to);
    }
    from = to;
  }
  std::string bend;
  if (mlp.num_layers() > 1) {
    bend = fmt::format("\ninline double bend(double x{}) {{ return {}; }}\n", swish ? ", double steepness" : "",
                       mlp_activation(kind));
  }
  return tables + kMlpCode + bend + "\ninline void network(const double* input, double* output) {\n" + body + "}\n";
}

constexpr const char* kReverse = R"(
// Bit reversal of the order of the n complex numbers.
inline void reverse_bits(double* re, double* im) {
  for (std::size_t i = 1, j = 0; i < channels; ++i) {
    std::size_t bit = channels >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i >= j) continue;
    const double r = re[i], s = im[i];
    re[i] = re[j], im[i] = im[j];
    re[j] = r, im[j] = s;
  }
}
)";

constexpr const char* kForward = R"(
// @what@
inline void transform(@argument@double* re, double* im) {
  reverse_bits(re, im);
  for (std::size_t half = 1; half < channels; half *= 2) {
    for (std::size_t first = 0; first < channels; first += 2 * half) {
      for (std::size_t k = 0; k < half; ++k) {
        const double* w = @twiddle@;
        const std::size_t a = first + k, b = a + half;
        const double r = w[0] * re[b] - w[1] * im[b], s = w[0] * im[b] + w[1] * re[b];
        re[b] = re[a] - r, im[b] = im[a] - s;
        re[a] += r, im[a] += s;
      }
    }@next@
  }
}
)";

constexpr const char* kTransposed = R"(
// Its transpose: the butterflies the other way round.
inline void transposed(const double* twiddles, double* re, double* im) {
  twiddles += stages * channels;
  for (std::size_t half = channels / 2; half > 0; half /= 2) {
    twiddles -= channels;
    for (std::size_t first = 0; first < channels; first += 2 * half) {
      for (std::size_t k = 0; k < half; ++k) {
        const double* w = twiddles + first + 2 * k;
        const std::size_t a = first + k, b = a + half;
        const double r = re[a] - re[b], s = im[a] - im[b];
        re[a] += re[b], im[a] += im[b];
        re[b] = w[0] * r - w[1] * s, im[b] = w[0] * s + w[1] * r;
      }
    }
  }
  reverse_bits(re, im);
}
)";

constexpr const char* kHankel = R"(
// The transform of the channels, each turned by an angle of its own first.
inline void analyse(@argument@const double* x, double* re, double* im) {
  for (std::size_t k = 0; k < channels; ++k) re[k] = turn_cos[k] * x[k], im[k] = turn_sin[k] * x[k];
  transform(@pass@re, im);
}

// One layer of one block: the rest of a product with its Hankel matrix, then bias and activation. `weight` holds the
// diagonal (real parts, imaginary parts), what the transform learned, and the biases.
inline void hankel(const double* weight, const double* re, const double* im, double* h) {
  double vr[channels], vi[channels];
  for (std::size_t k = 0; k < channels; ++k) {
    const double lr = weight[k], li = weight[channels + k];
    vr[k] = lr * re[k] - li * im[k];
    vi[k] = -(lr * im[k] + li * re[k]);  // the inverse transform by conjugates
  }
  @synthesis@;
  const double* bias = weight + per_weight - channels;
  for (std::size_t k = 0; k < channels; ++k) {
    const std::size_t i = channels - 1 - k;
    h[k] = @bend@((turn_cos[i] * vr[i] - turn_sin[i] * vi[i]) / @n@ + bias[k]);
  }
}

inline void network(const double* input, double* output) {
  for (std::size_t o = 0; o < num_states; ++o) {
    output[o] = offset[o];
    for (std::size_t j = 0; j < num_inputs; ++j) output[o] += linear[o * num_inputs + j] * input[j];
  }
  double z[channels];
@enter@@shared@  for (std::size_t block = 0; block < blocks; ++block) {
    double h[channels]@scratch@;
    const double* weight = weights + block * per_weight;
@layers@    for (std::size_t o = 0; o < num_states; ++o) {
      const double* c = readout + (o * blocks + block) * channels;
      for (std::size_t k = 0; k < channels; ++k) output[o] += c[k] * h[k];
    }
  }
}
)";

constexpr const char* kLift = R"(  for (std::size_t k = 0; k < channels; ++k) {
    z[k] = lift_bias[k];
    for (std::size_t j = 0; j < num_inputs; ++j) z[k] += lift[k * num_inputs + j] * input[j];
  }
)";
constexpr const char* kWindow = R"(  for (std::size_t k = 0; k < channels; ++k) z[k] = k < num_inputs ? input[k] : 0.0;
)";
constexpr const char* kLaterLayers = R"(    for (std::size_t layer = 1; layer < layers; ++layer) {
      weight += blocks * per_weight;
      analyse(@pass_weight@h, re, im);
      hankel(weight, re, im, h);
    }
)";

/// exp(-iπ k / h) for k < h, for h = 1, 2, 4 … n/2.
Vector fourier_twiddles(Index n) {
  Vector values(2 * (n - 1));
  Index at = 0;
  for (Index half = 1; half < n; half *= 2) {
    for (Index k = 0; k < half; ++k) {
      const double angle = -std::numbers::pi * static_cast<double>(k) / static_cast<double>(half);
      values[at++] = std::cos(angle);
      values[at++] = std::sin(angle);
    }
  }
  return values;
}

std::string stnn_tables(const Wrapping& w, const StnnNetwork& network, bool learned) {
  const StnnShape& s = network.shape();
  const auto& at = network.layout();
  const Index n = s.channels;
  Vector turn_cos(n), turn_sin(n);
  for (Index k = 0; k < n; ++k) {
    const double angle = -std::numbers::pi * static_cast<double>(k) / (2 * static_cast<double>(n));
    turn_cos[k] = std::cos(angle);
    turn_sin[k] = std::sin(angle);
  }
  const double* p = w.params.data();
  std::string text = table("turn_cos", turn_cos, "exp(-i pi k / 2n)") + table("turn_sin", turn_sin, "its second part");
  if (!learned) text += table("roots", fourier_twiddles(n), "exp(-i pi k / h) for h = 1, 2, 4 ... n/2");
  if (s.lift) {
    text += table("lift", p + at.lift, at.lift_bias - at.lift, "channels x inputs, by rows");
    text += table("lift_bias", p + at.lift_bias, n, "of the channels");
  }
  text += table("weights", p + at.weights, at.readout - at.weights, "layer by layer, block by block");
  text += table("readout", p + at.readout, at.bias - at.readout, "states x blocks x channels");
  text += table("offset", p + at.bias, s.outputs, "of the states");
  return text + table("linear", p + at.linear, at.end - at.linear, "states x inputs, by rows");
}

/// Tables and the function network() of a structured network.
std::string stnn_text(const Wrapping& w) {
  Json json = w.inner;
  json.erase("type");
  const StnnNetwork network(from_json<StnnShape>(json, "model"));
  const StnnShape& s = network.shape();
  const bool learned = s.factors == Factors::twiddles, deep = s.layers > 1;
  std::string text = size_line("channels", s.channels, "n");
  text += size_line("blocks", s.blocks, "side by side") + size_line("layers", s.layers, "one behind another");
  text += size_line("per_weight", network.weight(0, 0).bias + s.channels - network.layout().weights, "of each block");
  if (learned) {
    Index stages = 0;
    while ((Index{1} << stages) < s.channels) ++stages;
    text += size_line("stages", stages, "of a transform");
  }
  text += stnn_tables(w, network, learned) + kReverse;
  text += fill(kForward,
               {{"what", learned ? "A transform with learned twiddles, stage by stage." : "The Fourier transform."},
                {"argument", learned ? "const double* twiddles, " : ""},
                {"twiddle", learned ? "twiddles + first + 2 * k" : "roots + 2 * (half - 1 + k)"},
                {"next", learned ? "\n    twiddles += channels;" : ""}});
  if (learned) text += kTransposed;
  std::string layers = learned ? "    analyse(weight + 2 * channels, z, re, im);\n    hankel(weight, re, im, h);\n"
                               : "    hankel(weight, first_re, first_im, h);\n";
  if (deep) layers += kLaterLayers;
  return text +
         fill(kHankel, {{"enter", s.lift ? kLift : kWindow},
                        {"shared", learned ? ""
                                           : "  double first_re[channels], first_im[channels];\n"
                                             "  analyse(z, first_re, first_im);  // the same for all blocks\n"},
                        {"scratch", learned || deep ? ", re[channels], im[channels]" : ""},
                        {"layers", layers},
                        {"argument", learned ? "const double* twiddles, " : ""},
                        {"pass", learned ? "twiddles, " : ""},
                        {"pass_weight", learned ? "weight + 2 * channels, " : ""},
                        {"synthesis", learned ? "transposed(weight + 2 * channels, vr, vi)" : "transform(vr, vi)"},
                        {"bend", s.bend == Bend::tanh ? "std::tanh" : "std::sin"},
                        {"n", std::to_string(s.channels) + ".0"}});
}

/// advance(): one step in normalised units, from the network's output.
std::string advance_text(const Wrapping& w) {
  std::string line = w.scaled ? "change[i] * output[i]" : "output[i]";
  if (w.residual) line += fmt::format(" + input[{}i]", w.newest > 0 ? fmt::format("{} + ", w.newest) : "");
  std::string text = "\n// One step, normalised units.\ninline void advance(const double* input, double* output) {\n";
  text += "  network(input, output);\n";
  if (w.scaled) text += fmt::format("  for (std::size_t i = 0; i < num_states; ++i) output[i] = {};\n", line);
  text +=
      "}\n\ninline void enter(const double* window, double* input) {\n"
      "  for (std::size_t i = 0; i < history * num_states; ++i) {\n"
      "    input[i] = (window[i] - mean[i % num_states]) / scale[i % num_states];\n  }\n}\n";
  if (w.controls > 0) {
    text +=
        "\ninline void steer(const double* controls, double* input) {\n"
        "  for (std::size_t i = 0; i < num_controls; ++i) {\n"
        "    input[history * num_states + i] = (controls[i] - control_mean[i]) / control_scale[i];\n  }\n}\n";
  }
  return text;
}

constexpr const char* kInterface = R"(
// The next state.
//   window:   history * num_states numbers, the oldest state first
//   controls: num_controls numbers, those at the newest state; not read where there are none
//   next:     num_states numbers
inline void step(const double* window, @controls@, double* next) {
  double input[detail::num_inputs], output[num_states];
  detail::enter(window, input);
@steer@  detail::advance(input, output);
  for (std::size_t i = 0; i < num_states; ++i) next[i] = output[i] * detail::scale[i] + detail::mean[i];
}

// The next `steps` states, each from those before. What leaves all bounds becomes NaN, and so does all after it.
//   controls: steps * num_controls numbers, from the newest state of the window on
//   states:   steps * num_states numbers
inline void rollout(const double* window, @controls@, std::size_t steps, double* states) {
  double input[detail::num_inputs], output[num_states];
  detail::enter(window, input);
  bool bounded = true;
  for (std::size_t k = 0; k < steps; ++k) {
@steer_k@    detail::advance(input, output);
    for (std::size_t i = 0; i < num_states; ++i) bounded = bounded && std::isfinite(output[i]);
    for (std::size_t i = 0; i < num_states; ++i) {
      states[k * num_states + i] = bounded ? output[i] * detail::scale[i] + detail::mean[i] : std::nan("");
    }
@shift@    for (std::size_t i = 0; i < num_states; ++i) input[@newest@i] = output[i];
  }
}
)";

std::string interface_text(const Wrapping& w) {
  const bool driven = w.controls > 0;
  return fill(kInterface,
              {{"controls", driven ? "const double* controls" : "const double* /*controls*/"},
               {"steer", driven ? "  detail::steer(controls, input);\n" : ""},
               {"steer_k", driven ? "    detail::steer(controls + k * num_controls, input);\n" : ""},
               {"shift", w.history > 1 ? "    for (std::size_t i = 0; i < (history - 1) * num_states; ++i) input[i] = "
                                         "input[i + num_states];\n"
                                       : ""},
               {"newest", w.history > 1 ? "(history - 1) * num_states + " : ""}});
}

/// One word or number of what the fit said about itself, fit for a comment.
std::string plain(const Json& value) {
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  for (char& c : text) {
    if (c == '\n' || c == '\r' || c == '\\') c = ' ';
  }
  return text;
}

std::string title_text(const Wrapping& w, const std::string& name) {
  std::string text = fmt::format("// {}: the next state of a system from its last {}{}.\n", name,
                                 w.history > 1 ? fmt::format("{} states", w.history) : std::string("state"),
                                 w.controls > 0 ? " and its controls" : "");
  const bool stnn = w.method == "stnn";
  text += fmt::format("// A {} that Filigree fitted and exported; it needs the C++17 standard library only.\n",
                      stnn ? "network of structured (Hankel) matrices" : "multi-layer perceptron");
  Json shape = w.inner;
  shape.erase("type");
  text += fmt::format("// Network: {}\n", plain(shape));
  text += fmt::format("// {} parameters, {} operations a step.\n", w.cost.parameters, w.cost.operations);
  if (w.training.is_object() && !w.training.empty()) {
    text += "// Fit:";
    for (const auto& [key, value] : w.training.items()) text += fmt::format(" {}: {};", plain(key), plain(value));
    text.back() = '.';
    text += "\n";
  }
  text += "//\n// Example:\n";
  text +=
      fmt::format("//   double window[{0}::history * {0}::num_states] = {{/* past states, oldest first */}};\n", name);
  if (w.controls > 0) {
    text += fmt::format("//   double controls[100 * {}::num_controls] = {{/* one row a step */}};\n", name);
  } else {
    text += "//   const double* controls = nullptr;  // the system is not driven\n";
  }
  text += fmt::format("//   double next[{0}::num_states], future[100 * {0}::num_states];\n", name);
  text += fmt::format("//   {}::step(window, controls, next);\n", name);
  return text + fmt::format("//   {}::rollout(window, controls, 100, future);\n", name);
}

}  // namespace

std::string export_header(const Json& model, const std::string& name) {
  check_name(name);
  const bool named = model.is_object() && model.contains("method") && model["method"].is_string();
  const std::string method = named ? model["method"].get<std::string>() : "";
  if (method != "stnn" && method != "mlp") {
    fail("a model of method '{}' cannot be exported; stnn and mlp can", method);
  }
  const Wrapping w = unwrap(model, method == "stnn" ? *load_stnn(model, "model") : *load_mlp(model, "model"));
  std::string text = title_text(w, name) + "#pragma once\n\n#include <cmath>\n#include <cstddef>\n\n";
  text += fmt::format("namespace {} {{\n\n", name);
  text += size_line("num_states", w.states, "numbers in a state");
  text += size_line("num_controls", w.controls, "numbers that drive it");
  text += size_line("history", w.history, "states in a window");
  text += "\nnamespace detail {\n\n" + size_line("num_inputs", w.inputs(), "of the network");
  text += table("mean", w.mean, "normalised state = (state - mean) / scale") + table("scale", w.scale, "of the states");
  if (w.controls > 0) {
    text += table("control_mean", w.control_mean, "of the controls") + table("control_scale", w.control_scale, "too");
  }
  if (w.scaled) text += table("change", w.change, "unit of the network's output");
  text += method == "stnn" ? stnn_text(w) : mlp_text(w);
  return text + advance_text(w) + "\n}  // namespace detail\n" + interface_text(w) + "\n}  // namespace " + name + "\n";
}

}  // namespace filigree::dynamics
