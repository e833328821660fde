#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.h"
#include "dynamics/dmd.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;
using Rows = std::vector<std::vector<double>>;

constexpr Index kMostShown = 12;

Rows rows_of(const Matrix& matrix) {
  Rows rows;
  for (Index i = 0; i < matrix.rows(); ++i) rows.emplace_back(matrix.row(i).begin(), matrix.row(i).end());
  return rows;
}

/// What to_json() writes.
struct DmdState {
  std::string method;
  std::vector<std::string> names, control_names;
  double dt = 1;
  DmdOptions options;
  bool decode_first = false;
  Rows encode, step, drive, decode;
  Rows modes;  // a row each: eigenvalue, rate (real and imaginary parts), amplitude, deviation or -1, mode (re, im, …)

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("method", self.method, "dmd");
    v.required("names", self.names, "of the coordinates");
    v.required("control_names", self.control_names, "of the controls");
    v.required("dt", self.dt, "time between samples", positive);
    v.required("options", self.options, "of the fit");
    v.required("decode_first", self.decode_first, "whether a sample is read before the step");
    v.required("encode", self.encode, "stacked samples to the reduced state");
    v.required("step", self.step, "of the reduced state");
    v.required("drive", self.drive, "of the reduced state by the controls");
    v.required("decode", self.decode, "reduced state to a sample");
    v.required("modes", self.modes, "eigenvalue, rate, amplitude, deviation and mode");
  }
};

Rows mode_rows(const DmdSpectrum& s) {
  Rows rows;
  for (Index i = 0; i < s.eigenvalues.size(); ++i) {
    rows.push_back({s.eigenvalues(i).real(), s.eigenvalues(i).imag(), s.rates(i).real(), s.rates(i).imag(),
                    s.amplitudes(i), s.rate_deviation.size() > 0 ? s.rate_deviation(i) : -1});
    for (Index k = 0; k < s.modes.rows(); ++k) {
      rows.back().push_back(s.modes(k, i).real());
      rows.back().push_back(s.modes(k, i).imag());
    }
  }
  return rows;
}

void read_modes(const Matrix& rows, DmdSpectrum& s) {
  const Index count = rows.rows(), size = (rows.cols() - 6) / 2;
  s.eigenvalues.resize(count);
  s.rates.resize(count);
  s.amplitudes.resize(count);
  s.modes.resize(size, count);
  if (count > 0 && rows(0, 5) >= 0) s.rate_deviation = rows.col(5);
  for (Index i = 0; i < count; ++i) {
    s.eigenvalues(i) = {rows(i, 0), rows(i, 1)};
    s.rates(i) = {rows(i, 2), rows(i, 3)};
    s.amplitudes(i) = rows(i, 4);
    for (Index k = 0; k < size; ++k) s.modes(k, i) = {rows(i, 6 + 2 * k), rows(i, 7 + 2 * k)};
  }
}

/// Matrices that do not fit one another would read beyond their ends.
void check_sizes(const DmdOperator& o, Index coordinates, Index controls, Index delays, const std::string& where) {
  const Index rank = o.step.rows();
  const auto check = [&](const Matrix& matrix, Index rows, Index columns, const char* name) {
    if (matrix.rows() == rows && (matrix.cols() == columns || rows == 0)) return;
    fail("{}: {} has {} rows of {}; expected {} of {}", where, name, matrix.rows(), matrix.cols(), rows, columns);
  };
  check(o.step, rank, rank, "step");
  check(o.encode, rank, coordinates * delays, "encode");
  check(o.decode, coordinates, rank, "decode");
  check(o.drive, rank, controls, "drive");
}

std::string mode_text(const DmdSpectrum& s, Index i, const std::vector<std::string>& names) {
  std::string text;
  const Index n = static_cast<Index>(names.size());
  // The newest sample's block, where there are few coordinates.
  if (n > 6) return text;
  for (Index k = 0; k < n; ++k) {
    const Complex value = s.modes(s.modes.rows() - n + k, i);
    text += fmt::format("{}{} {:.4g}{:+.4g}i", k == 0 ? "; mode " : ", ", names[static_cast<std::size_t>(k)], value.real(),
                        value.imag());
  }
  return text;
}

}  // namespace

Matrix DmdModel::forecast(const Matrix& past, Index steps, const Matrix& controls) const {
  const Index n = static_cast<Index>(names_.size()), driven = static_cast<Index>(control_names_.size());
  check_forecast(past, steps, n);
  if (driven > 0 && steps > 0 && (controls.cols() != driven || controls.rows() < steps)) {
    fail("the dmd model needs {} rows of {} controls for {} steps, there are {} rows of {}", steps, driven, steps,
         controls.rows(), controls.cols());
  }
  Vector stacked(options_.delays * n);
  for (Index d = 0; d < options_.delays; ++d) {
    stacked.segment(d * n, n) = past.row(past.rows() - options_.delays + d).transpose();
  }
  Vector z = operator_.encode * stacked, next(z.size());
  Matrix result = Matrix::Constant(steps, n, std::numeric_limits<double>::quiet_NaN());
  Vector sample(n);
  for (Index k = 0; k < steps; ++k) {
    if (operator_.decode_first) sample.noalias() = operator_.decode * z;
    next.noalias() = operator_.step * z;
    if (driven > 0) next.noalias() += operator_.drive * controls.row(k).transpose();
    z.swap(next);
    if (!operator_.decode_first) sample.noalias() = operator_.decode * z;
    if (!sample.allFinite()) break;
    result.row(k) = sample.transpose();
  }
  return result;
}

Cost DmdModel::cost() const {
  const Index numbers = operator_.step.size() + operator_.drive.size() + operator_.decode.size();
  return {numbers + operator_.encode.size(), 2 * numbers};
}

std::vector<std::string> DmdModel::describe() const {
  std::vector<std::string> lines;
  lines.push_back(fmt::format("variant {}, rank {}, {} delay{}", enum_name(options_.variant), operator_.step.rows(),
                              options_.delays, options_.delays == 1 ? "" : "s"));
  const DmdSpectrum& s = spectrum_;
  Index shown = 0;
  for (Index i = 0; i < s.eigenvalues.size() && shown < kMostShown; ++i) {
    // One line for a pair of conjugates.
    if (s.eigenvalues(i).imag() < 0) continue;
    const double frequency = s.rates(i).imag() / (2 * std::numbers::pi);
    std::string line = fmt::format("eigenvalue {:.6g}{:+.6g}i, growth rate {:.6g}, frequency {:.6g}, amplitude {:.4g}",
                                   s.eigenvalues(i).real(), s.eigenvalues(i).imag(), s.rates(i).real(),
                                   std::abs(frequency), s.amplitudes(i));
    if (s.rate_deviation.size() > 0) line += fmt::format(", deviation of the rate {:.3g}", s.rate_deviation(i));
    lines.push_back(line + mode_text(s, i, names_));
    ++shown;
  }
  return lines;
}

Json DmdModel::to_json() const {
  DmdState state{method(), names_, control_names_, dt_, options_, operator_.decode_first, {}, {}, {}, {}, {}};
  state.encode = rows_of(operator_.encode);
  state.step = rows_of(operator_.step);
  state.drive = rows_of(operator_.drive);
  state.decode = rows_of(operator_.decode);
  state.modes = mode_rows(spectrum_);
  return filigree::to_json(state);
}

DmdModel dmd_from_json(const Json& json, const std::string& where) {
  auto state = from_json<DmdState>(json, where);
  if (state.method != "dmd") fail("{}: method is '{}', not 'dmd'", where, state.method);
  DmdModel model;
  model.names_ = std::move(state.names);
  model.control_names_ = std::move(state.control_names);
  model.dt_ = state.dt;
  model.options_ = state.options;
  const auto matrix = [&](const char* name) { return matrix_from_json(json[name], where, name); };
  model.operator_ = {matrix("encode"), matrix("step"), matrix("drive"), matrix("decode"), state.decode_first};
  const Index n = static_cast<Index>(model.names_.size());
  check_sizes(model.operator_, n, static_cast<Index>(model.control_names_.size()), state.options.delays, where);
  const Matrix modes = matrix("modes");
  if (modes.rows() > 0 && modes.cols() != 6 + 2 * n * state.options.delays) {
    fail("{}: modes has rows of {} numbers; expected {}", where, modes.cols(), 6 + 2 * n * state.options.delays);
  }
  read_modes(modes, model.spectrum_);
  return model;
}

ModelPtr load_dmd(const Json& json, const std::string& where) {
  return std::make_unique<DmdModel>(dmd_from_json(json, where));
}

}  // namespace filigree::dynamics
