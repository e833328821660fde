#pragma once

#include "dynamics/network.h"

/// Fields dx/dt that several environments share in part.
namespace filigree::dynamics {

/// y = C φ(x) with all monomials of x up to a degree: 1, x0, x1, …, x0², x0 x1, … Parameters: C (outputs, monomials) by
/// columns. Starts at zero.
class PolynomialNetwork : public Network {
 public:
  PolynomialNetwork(Eigen::Index inputs, Eigen::Index outputs, int degree);

  Eigen::Index inputs() const override { return inputs_; }
  Eigen::Index outputs() const override { return outputs_; }
  Eigen::Index num_parameters() const override { return outputs_ * num_monomials(); }
  std::int64_t operations() const override;
  Vector initial(Random& random) const override;
  std::unique_ptr<Tape> make_tape() const override;
  void forward(ParamsRef params, const Matrix& x, Matrix& y, Tape& tape) const override;
  void backward(ParamsRef params, Tape& tape, const Matrix& dy, GradientRef dp, Matrix* dx) const override;
  void jacobian(ParamsRef params, const Matrix& x, Matrix& y, Matrix& jp, Matrix& jx) const override;
  Json to_json() const override;

  Eigen::Index num_monomials() const { return static_cast<Eigen::Index>(parent_.size()); }

 private:
  Eigen::Index inputs_, outputs_;
  int degree_;
  std::vector<Eigen::Index> parent_, factor_;  // monomial = monomial[parent] · x[factor]; the first is 1
};

/// The field of one environment: f(x) + g_e(x), or f(x) + G(x) c_e where rank > 0, in which G (dimension × rank) is
/// shared too and only c_e belongs to the environment. f or g may be missing.
///
/// Parameters: f, then (rank > 0: G), then those of each environment in turn.
class EnvironmentField : public Network {
 public:
  struct Parts {
    NetworkPtr shared;  ///< f; may be null
    NetworkPtr own;     ///< g, or G with dimension · rank outputs; may be null
    Eigen::Index rank = 0;
    Eigen::Index environments = 1;
  };
  EnvironmentField(Parts parts, Eigen::Index environment);

  Eigen::Index inputs() const override { return any().inputs(); }
  Eigen::Index outputs() const override { return dimension_; }
  Eigen::Index num_parameters() const override;
  std::int64_t operations() const override;
  Vector initial(Random& random) const override;
  std::unique_ptr<Tape> make_tape() const override;
  void forward(ParamsRef params, const Matrix& x, Matrix& y, Tape& tape) const override;
  void backward(ParamsRef params, Tape& tape, const Matrix& dy, GradientRef dp, Matrix* dx) const override;
  void jacobian(ParamsRef params, const Matrix& x, Matrix& y, Matrix& jp, Matrix& jx) const override;
  Json to_json() const override;

  /// The environment's own part of the field, g_e(x) or G(x) c_e, as a field of the same parameters.
  NetworkPtr deviation() const;
  /// The parameters of this environment alone, for a field with environments = 1.
  Vector single(ParamsRef params) const;
  /// Where this environment's numbers stand: g_e, or c_e.
  Eigen::Index own_offset() const;
  Eigen::Index own_size() const;
  const Parts& parts() const { return parts_; }

 private:
  const Network& any() const { return parts_.shared ? *parts_.shared : *parts_.own; }
  Eigen::Index shared_size() const { return parts_.shared ? parts_.shared->num_parameters() : 0; }
  Eigen::Index basis_size() const { return parts_.rank > 0 ? parts_.own->num_parameters() : 0; }
  /// Parameters that the network `own` reads.
  Eigen::Index network_offset() const { return parts_.rank > 0 ? shared_size() + skipped_ : own_offset(); }

  Parts parts_;
  Eigen::Index environment_, dimension_;
  Eigen::Index skipped_ = 0;  // parameters of a shared part that is left out (deviation())
  Eigen::Index total_ = 0;    // parameters in all
};

/// Reads "polynomial" and "environment_field".
NetworkPtr leads_network_from_json(const Json& json, const std::string& where);

}  // namespace filigree::dynamics
