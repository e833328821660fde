#include "dynamics/leads_field.h"

#include <utility>

#include "base/error.h"
#include "dynamics/network_model.h"

namespace filigree::dynamics {
namespace {

struct PolynomialTape : Tape {
  Matrix x, monomials, dmonomials;
};

struct FieldTape : Tape {
  std::unique_ptr<Tape> shared, own;
  Matrix basis, dbasis, part;
};

}  // namespace

PolynomialNetwork::PolynomialNetwork(Eigen::Index inputs, Eigen::Index outputs, int degree)
    : inputs_(inputs), outputs_(outputs), degree_(degree), parent_{-1}, factor_{0} {
  // Every monomial of the next degree once: multiply by a factor that is not before the last one.
  std::size_t begin = 0;
  for (int d = 1; d <= degree; ++d) {
    const std::size_t end = parent_.size();
    for (std::size_t m = begin; m < end; ++m) {
      for (Eigen::Index i = factor_[m]; i < inputs; ++i) {
        parent_.push_back(static_cast<Eigen::Index>(m));
        factor_.push_back(i);
      }
    }
    begin = end;
  }
}

std::int64_t PolynomialNetwork::operations() const { return num_monomials() - 1 - inputs_ + 2 * num_parameters(); }

Vector PolynomialNetwork::initial(Random&) const { return Vector::Zero(num_parameters()); }

std::unique_ptr<Tape> PolynomialNetwork::make_tape() const { return std::make_unique<PolynomialTape>(); }

void PolynomialNetwork::forward(ParamsRef params, const Matrix& x, Matrix& y, Tape& tape) const {
  auto& own = static_cast<PolynomialTape&>(tape);
  own.x = x;
  own.monomials.resize(num_monomials(), x.cols());
  own.monomials.row(0).setOnes();
  for (Eigen::Index m = 1; m < num_monomials(); ++m) {
    const auto i = static_cast<std::size_t>(m);
    own.monomials.row(m) = own.monomials.row(parent_[i]).cwiseProduct(x.row(factor_[i]));
  }
  y.resize(outputs_, x.cols());
  y.noalias() = Eigen::Map<const Matrix>(params.data(), outputs_, num_monomials()) * own.monomials;
}

void PolynomialNetwork::backward(ParamsRef params, Tape& tape, const Matrix& dy, GradientRef dp, Matrix* dx) const {
  auto& own = static_cast<PolynomialTape&>(tape);
  Eigen::Map<Matrix>(dp.data(), outputs_, num_monomials()).noalias() += dy * own.monomials.transpose();
  if (dx == nullptr) return;
  own.dmonomials.noalias() = Eigen::Map<const Matrix>(params.data(), outputs_, num_monomials()).transpose() * dy;
  dx->setZero(inputs_, dy.cols());
  for (Eigen::Index m = num_monomials(); m-- > 1;) {
    const auto i = static_cast<std::size_t>(m);
    dx->row(factor_[i]) += own.dmonomials.row(m).cwiseProduct(own.monomials.row(parent_[i]));
    own.dmonomials.row(parent_[i]) += own.dmonomials.row(m).cwiseProduct(own.x.row(factor_[i]));
  }
}

void PolynomialNetwork::jacobian(ParamsRef params, const Matrix& x, Matrix& y, Matrix& jp, Matrix& jx) const {
  PolynomialTape tape;
  forward(params, x, y, tape);
  const Eigen::Map<const Matrix> c(params.data(), outputs_, num_monomials());
  const Eigen::Index count = x.cols();
  jp.setZero(num_parameters(), outputs_ * count);
  jx.resize(inputs_, outputs_ * count);
  Matrix slopes(inputs_, num_monomials());  // of the monomials of one sample
  for (Eigen::Index s = 0; s < count; ++s) {
    slopes.col(0).setZero();
    for (Eigen::Index m = 1; m < num_monomials(); ++m) {
      const auto i = static_cast<std::size_t>(m);
      slopes.col(m) = slopes.col(parent_[i]) * x(factor_[i], s);
      slopes(factor_[i], m) += tape.monomials(parent_[i], s);
    }
    jx.middleCols(s * outputs_, outputs_).noalias() = slopes * c.transpose();
    for (Eigen::Index o = 0; o < outputs_; ++o) {
      for (Eigen::Index m = 0; m < num_monomials(); ++m) {
        jp(m * outputs_ + o, s * outputs_ + o) = tape.monomials(m, s);
      }
    }
  }
}

Json PolynomialNetwork::to_json() const {
  Json json;
  json["type"] = "polynomial";
  json["inputs"] = inputs_;
  json["outputs"] = outputs_;
  json["degree"] = degree_;
  return json;
}

EnvironmentField::EnvironmentField(Parts parts, Eigen::Index environment)
    : parts_(std::move(parts)), environment_(environment) {
  FILIGREE_ASSERT(parts_.shared || parts_.own);
  FILIGREE_ASSERT(environment >= 0 && environment < parts_.environments);
  dimension_ =
      parts_.shared ? parts_.shared->outputs() : parts_.own->outputs() / std::max<Eigen::Index>(parts_.rank, 1);
  FILIGREE_ASSERT(!parts_.own || parts_.own->outputs() == dimension_ * std::max<Eigen::Index>(parts_.rank, 1));
  total_ = shared_size() + basis_size() + parts_.environments * own_size();
}

Eigen::Index EnvironmentField::own_size() const {
  if (!parts_.own) return 0;
  return parts_.rank > 0 ? parts_.rank : parts_.own->num_parameters();
}

Eigen::Index EnvironmentField::own_offset() const {
  return shared_size() + skipped_ + basis_size() + environment_ * own_size();
}

Eigen::Index EnvironmentField::num_parameters() const { return total_; }

std::int64_t EnvironmentField::operations() const {
  std::int64_t count = 0;
  if (parts_.shared) count += parts_.shared->operations();
  if (parts_.own) count += parts_.own->operations() + 2 * dimension_ * parts_.rank;
  if (parts_.shared && parts_.own) count += dimension_;
  return count;
}

Vector EnvironmentField::initial(Random& random) const {
  Vector params = Vector::Zero(total_);
  if (parts_.shared) params.head(shared_size()) = parts_.shared->initial(random);
  if (!parts_.own) return params;
  if (parts_.rank > 0) params.segment(shared_size(), basis_size()) = parts_.own->initial(random);
  for (Eigen::Index e = 0; e < parts_.environments; ++e) {
    auto own = params.segment(shared_size() + basis_size() + e * own_size(), own_size());
    if (parts_.rank == 0) own = parts_.own->initial(random);
    // Small and different: with c = 0 for all, neither G nor c would have a gradient.
    for (Eigen::Index i = 0; i < parts_.rank; ++i) own[i] = 0.1 * random.normal();
  }
  return params;
}

std::unique_ptr<Tape> EnvironmentField::make_tape() const {
  auto tape = std::make_unique<FieldTape>();
  if (parts_.shared) tape->shared = parts_.shared->make_tape();
  if (parts_.own) tape->own = parts_.own->make_tape();
  return tape;
}

void EnvironmentField::forward(ParamsRef params, const Matrix& x, Matrix& y, Tape& tape) const {
  auto& own = static_cast<FieldTape&>(tape);
  if (parts_.shared)
    parts_.shared->forward(params.head(shared_size()), x, y, *own.shared);
  else
    y.setZero(dimension_, x.cols());
  if (!parts_.own) return;
  const auto network_params = params.segment(network_offset(), parts_.own->num_parameters());
  parts_.own->forward(network_params, x, own.basis, *own.own);
  if (parts_.rank == 0) y += own.basis;
  for (Eigen::Index r = 0; r < parts_.rank; ++r) {
    y += params[own_offset() + r] * own.basis.middleRows(r * dimension_, dimension_);
  }
}

void EnvironmentField::backward(ParamsRef params, Tape& tape, const Matrix& dy, GradientRef dp, Matrix* dx) const {
  auto& own = static_cast<FieldTape&>(tape);
  if (parts_.shared) {
    parts_.shared->backward(params.head(shared_size()), *own.shared, dy, dp.head(shared_size()), dx);
  } else if (dx != nullptr) {
    dx->setZero(inputs(), dy.cols());
  }
  if (!parts_.own) return;
  const Eigen::Index size = parts_.own->num_parameters();
  const Matrix* above = &dy;
  if (parts_.rank > 0) {
    own.dbasis.resize(own.basis.rows(), dy.cols());
    for (Eigen::Index r = 0; r < parts_.rank; ++r) {
      dp[own_offset() + r] += own.basis.middleRows(r * dimension_, dimension_).cwiseProduct(dy).sum();
      own.dbasis.middleRows(r * dimension_, dimension_) = params[own_offset() + r] * dy;
    }
    above = &own.dbasis;
  }
  parts_.own->backward(params.segment(network_offset(), size), *own.own, *above, dp.segment(network_offset(), size),
                       dx != nullptr ? &own.part : nullptr);
  if (dx != nullptr) *dx += own.part;
}

void EnvironmentField::jacobian(ParamsRef params, const Matrix& x, Matrix& y, Matrix& jp, Matrix& jx) const {
  const Eigen::Index n = dimension_, count = x.cols();
  Matrix part, part_p, part_x;
  jp.setZero(total_, n * count);
  if (parts_.shared) {
    parts_.shared->jacobian(params.head(shared_size()), x, y, part_p, jx);
    jp.topRows(shared_size()) = part_p;
  } else {
    y.setZero(n, count);
    jx.setZero(inputs(), n * count);
  }
  if (!parts_.own) return;
  const Eigen::Index size = parts_.own->num_parameters();
  parts_.own->jacobian(params.segment(network_offset(), size), x, part, part_p, part_x);
  if (parts_.rank == 0) {
    y += part;
    jp.middleRows(own_offset(), size) = part_p;
    jx += part_x;
    return;
  }
  for (Eigen::Index s = 0; s < count; ++s) {
    for (Eigen::Index r = 0; r < parts_.rank; ++r) {
      const double c = params[own_offset() + r];
      const Eigen::Index first = (s * parts_.rank + r) * n;  // columns of the basis outputs r·n … of sample s
      y.col(s) += c * part.col(s).segment(r * n, n);
      jp.row(own_offset() + r).segment(s * n, n) = part.col(s).segment(r * n, n).transpose();
      jp.block(network_offset(), s * n, size, n) += c * part_p.middleCols(first, n);
      jx.middleCols(s * n, n) += c * part_x.middleCols(first, n);
    }
  }
}

NetworkPtr EnvironmentField::deviation() const {
  if (!parts_.own) return nullptr;
  Parts parts = parts_;
  parts.shared = nullptr;
  auto field = std::make_shared<EnvironmentField>(std::move(parts), environment_);
  field->skipped_ = shared_size();
  field->total_ = total_;
  return field;
}

Vector EnvironmentField::single(ParamsRef params) const {
  const Eigen::Index common = shared_size() + basis_size();
  Vector result(common + own_size());
  result << params.head(common), params.segment(own_offset(), own_size());
  return result;
}

Json EnvironmentField::to_json() const {
  Json json;
  json["type"] = "environment_field";
  json["environments"] = parts_.environments;
  json["environment"] = environment_;
  json["rank"] = parts_.rank;
  json["shared"] = parts_.shared ? parts_.shared->to_json() : Json(nullptr);
  json["own"] = parts_.own ? parts_.own->to_json() : Json(nullptr);
  return json;
}

namespace {

template <class T>
T value_of(const Json& json, const char* name, const std::string& where, Bounds bounds) {
  if (!json.contains(name)) fail("{}: '{}' is missing from the saved network", where, name);
  T value{};
  detail::read_value(json[name], value, bounds, where, name);
  return value;
}

NetworkPtr part_of(const Json& json, const char* name, const std::string& where) {
  if (!json.contains(name) || json[name].is_null()) return nullptr;
  return network_from_json(json[name], where, leads_network_from_json);
}

}  // namespace

NetworkPtr leads_network_from_json(const Json& json, const std::string& where) {
  const std::string type = value_of<std::string>(json, "type", where, any_value);
  if (type == "polynomial") {
    return std::make_shared<PolynomialNetwork>(value_of<Eigen::Index>(json, "inputs", where, at_least(1)),
                                               value_of<Eigen::Index>(json, "outputs", where, at_least(1)),
                                               value_of<int>(json, "degree", where, between(0, 20)));
  }
  if (type != "environment_field") return nullptr;
  EnvironmentField::Parts parts{part_of(json, "shared", where), part_of(json, "own", where),
                                value_of<Eigen::Index>(json, "rank", where, non_negative),
                                value_of<Eigen::Index>(json, "environments", where, at_least(1))};
  const auto environment = value_of<Eigen::Index>(json, "environment", where, non_negative);
  if (!parts.shared && !parts.own) fail("{}: an environment_field needs 'shared' or 'own'", where);
  const Eigen::Index wide = std::max<Eigen::Index>(parts.rank, 1);
  const bool fits =
      !parts.shared || !parts.own ||
      (parts.own->outputs() == wide * parts.shared->outputs() && parts.own->inputs() == parts.shared->inputs());
  if (!fits || environment >= parts.environments || (parts.own && parts.own->outputs() % wide != 0)) {
    fail("{}: the parts of the environment_field do not fit together", where);
  }
  return std::make_shared<EnvironmentField>(std::move(parts), environment);
}

}  // namespace filigree::dynamics
