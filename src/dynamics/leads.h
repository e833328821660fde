#pragma once

#include "dynamics/leads_field.h"
#include "dynamics/mlp.h"

/// LEADS (Yin, Ayed, de Bézenac, Baskiotis, Gallinari 2021; yuan-yin/LEADS): several environments of one system,
/// dx/dt = f(x) + g_e(x), with g_e kept small.
namespace filigree::dynamics {

/// leads; leads_no_min: without the regulariser; one_for_all: f alone; one_per_env: g_e alone.
enum class LeadsVariant { leads, leads_no_min, one_for_all, one_per_env };

/// What f and g_e are. mlp: perceptrons, as published. low_rank: f and G perceptrons, g_e = G(x) c_e with `rank` numbers
/// for each environment. polynomial: all monomials up to `degree`; low_rank_polynomial: the same with g_e = G(x) c_e. Both
/// *know* that the field is polynomial, which the published method does not.
enum class LeadsForm { mlp, low_rank, polynomial, low_rank_polynomial };

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::LeadsVariant> {
  using V = filigree::dynamics::LeadsVariant;
  static constexpr std::array<std::pair<V, std::string_view>, 4> table{{{V::leads, "leads"},
                                                                        {V::leads_no_min, "leads_no_min"},
                                                                        {V::one_for_all, "one_for_all"},
                                                                        {V::one_per_env, "one_per_env"}}};
};

template <>
struct filigree::EnumNames<filigree::dynamics::LeadsForm> {
  using F = filigree::dynamics::LeadsForm;
  static constexpr std::array<std::pair<F, std::string_view>, 4> table{
      {{F::mlp, "mlp"},
       {F::low_rank, "low_rank"},
       {F::polynomial, "polynomial"},
       {F::low_rank_polynomial, "low_rank_polynomial"}}};
};

namespace filigree::dynamics {

struct LeadsOptions {
  LeadsVariant variant = LeadsVariant::leads;
  LeadsForm form = LeadsForm::low_rank;
  std::vector<Eigen::Index> hidden = {16};
  Activation activation = Activation::silu;
  double weight_deviation = 0;
  int rank = 2;
  int degree = 2;
  int steps = 5;
  RungeKutta rule = RungeKutta::classic;
  bool normalise = true;
  double omega = 1e-6;
  double spectral = 0.01;
  Optimiser optimiser = Optimiser::levenberg_marquardt;
  int epochs = 100;
  std::vector<int> rollouts = {1, 2, 4, 8, 1000};
  double ridge = 1e-6;
  AdamOptions adam = {};
  double teacher_decay = 0.99;
  int threads = 1;
  std::int64_t seed = 1;

  /// The settings of the published Lotka–Volterra run (yuan-yin/LEADS: train_leads.py, experiments.py).
  static LeadsOptions published();
  /// What serves a form: published() for mlp; raw units and hardly any ridge for the polynomials.
  static LeadsOptions for_form(LeadsForm form);

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("variant", self.variant, "leads, leads_no_min, one_for_all or one_per_env");
    v.optional("form", self.form,
               "mlp, low_rank; polynomial, low_rank_polynomial (these know that the field is polynomial)");
    v.optional("hidden", self.hidden, "widths of the hidden layers", at_least(1));
    v.optional("activation", self.activation, "tanh, relu, silu, swish or sine");
    v.optional("weight_deviation", self.weight_deviation, "of the starting weights; 0 for 1/sqrt(inputs)",
               non_negative);
    v.optional("rank", self.rank, "numbers of an environment (low_rank)", at_least(1));
    v.optional("degree", self.degree, "highest degree (polynomial)", between(0, 20));
    v.optional("steps", self.steps, "Runge-Kutta steps between two samples", at_least(1));
    v.optional("rule", self.rule, "classic or three_eighths");
    v.optional("normalise", self.normalise, "shift and scale the states");
    v.optional("omega", self.omega, "weight of the regulariser", non_negative);
    v.optional("spectral", self.spectral, "weight of the spectral norms in the regulariser (mlp, Adam)", non_negative);
    v.optional("optimiser", self.optimiser, "adam or levenberg_marquardt");
    v.optional("epochs", self.epochs, "steps of Adam, or of Levenberg-Marquardt for each roll-out", non_negative);
    v.optional("rollouts", self.rollouts, "steps of the roll-outs, one after the other (Levenberg-Marquardt)",
               at_least(1));
    v.optional("ridge", self.ridge, "weight of half the squared parameters (Levenberg-Marquardt)", non_negative);
    v.optional("adam", self.adam, "settings of Adam");
    v.optional("teacher_decay", self.teacher_decay, "fall of the chance to restart from data, every 10 steps",
               fraction);
    v.optional("threads", self.threads, "threads of Levenberg-Marquardt", at_least(1));
    v.optional("seed", self.seed, "of the starting weights");
  }
};

struct LeadsFit {
  std::vector<ModelPtr> environments;  ///< one forecaster for each, in the order of their numbers
  double loss = 0;                     ///< mean squared error of the last roll-outs, in the units of the training
  std::int64_t parameters = 0;         ///< of all environments together
};

/// Runs of all environments together; Trajectory::environment says whose they are, 0, 1, … without gaps. Error where
/// one is missing, or the system is driven.
LeadsFit fit_leads(const Dataset& data, const LeadsOptions& options, const TrainingHooks& hooks = {});

/// Root mean squared error of forecasts from the last of the first `known` samples, after a fit to those alone: what a
/// choice of options may look at without touching test data.
double leads_holdout_error(const Dataset& data, const LeadsOptions& options, Eigen::Index known);

ModelPtr load_leads(const Json& json, const std::string& where);

/// The field that the options describe, for environment e of `environments`.
std::shared_ptr<const EnvironmentField> leads_field(const LeadsOptions& options, Eigen::Index dimension,
                                                    Eigen::Index environments, Eigen::Index e);

/// Ω(p) = Σ_e mean over the environment's samples of (‖g_e(x)‖ / (‖x‖ + 1e-5))² + spectral · Σ_e Σ_layers σ_max(W)²,
/// the second part for form mlp, by power iterations. *Adds* weight · its gradient. `states`: samples in columns, by
/// environment.
double leads_omega(const std::vector<std::shared_ptr<const EnvironmentField>>& fields,
                   const std::vector<Matrix>& states, double spectral, const Vector& params,
                   std::pair<double, Vector*> weighted_gradient);

}  // namespace filigree::dynamics
