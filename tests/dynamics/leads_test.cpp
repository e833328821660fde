#include <cmath>

#include <gtest/gtest.h>

#include "dynamics/leads_lotka_volterra.h"
#include "dynamics/metrics.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

constexpr double kTolerance = 1e-8;

Matrix random_matrix(Random& random, Eigen::Index rows, Eigen::Index columns) {
  return Matrix::NullaryExpr(rows, columns, [&] { return random.normal(); });
}

void check_derivatives(const Network& network, const Vector& params, Random& random) {
  const Matrix x = random_matrix(random, network.inputs(), 3);
  const Matrix weights = random_matrix(random, network.outputs(), 3);
  const auto tape = network.make_tape();
  Matrix y, dx;
  const auto loss = [&](const Vector& p, const Matrix& at) {
    network.forward(p, at, y, *tape);
    return y.cwiseProduct(weights).sum();
  };
  loss(params, x);
  Vector dp = Vector::Zero(params.size());
  network.backward(params, *tape, weights, dp, &dx);
  const Vector flat = x.reshaped();
  const auto of_params = [&](const Vector& p) { return loss(p, x); };
  const auto of_inputs = [&](const Vector& v) { return loss(params, v.reshaped(x.rows(), x.cols())); };
  EXPECT_LT(check_gradient(of_params, params, dp).worst, kTolerance);
  EXPECT_LT(check_gradient(of_inputs, flat, dx.reshaped()).worst, kTolerance);
  Matrix jp, jx, slow_p, slow_x;
  network.jacobian(params, x, y, jp, jx);
  network.Network::jacobian(params, x, y, slow_p, slow_x);
  EXPECT_LT((jp - slow_p).norm(), 1e-12 * (1 + jp.norm()));
  EXPECT_LT((jx - slow_x).norm(), 1e-12 * (1 + jx.norm()));
}

TEST(LeadsField, DerivativesOfThePolynomial) {
  Random random(3);
  const PolynomialNetwork network(3, 2, 3);
  EXPECT_EQ(network.num_monomials(), 20);
  check_derivatives(network, random_matrix(random, network.num_parameters(), 1), random);
}

TEST(LeadsField, DerivativesOfEveryVariantAndForm) {
  Random random(4);
  for (const auto& [form, form_name] : EnumNames<LeadsForm>::table) {
    for (const auto& [variant, variant_name] : EnumNames<LeadsVariant>::table) {
      SCOPED_TRACE(std::string(form_name) + " " + std::string(variant_name));
      LeadsOptions options;
      options.form = form;
      options.variant = variant;
      options.hidden = {4};
      options.activation = Activation::swish;
      const auto field = leads_field(options, 2, 3, 1);
      const Vector params = field->initial(random) + 0.3 * random_matrix(random, field->num_parameters(), 1);
      check_derivatives(*field, params, random);
      if (field->deviation()) check_derivatives(*field->deviation(), params, random);
      // The environment alone gives the same field.
      EnvironmentField::Parts parts = field->parts();
      parts.environments = 1;
      const EnvironmentField alone(parts, 0);
      const Matrix x = random_matrix(random, 2, 4);
      Matrix y, z;
      field->forward(params, x, y, *field->make_tape());
      alone.forward(field->single(params), x, z, *alone.make_tape());
      EXPECT_EQ(y, z);
    }
  }
}

TEST(LeadsField, ParametersAsPublished) {
  // 11 networks of 8,645 (yuan-yin/LEADS: forecasters.py).
  EXPECT_EQ(leads_field(LeadsOptions::published(), 2, 10, 0)->num_parameters(), 95095);
}

TEST(LeadsOmega, Gradient) {
  Random random(5);
  LeadsOptions options;
  options.form = LeadsForm::mlp;
  options.hidden = {5};
  std::vector<std::shared_ptr<const EnvironmentField>> fields;
  std::vector<Matrix> states;
  for (Eigen::Index e = 0; e < 3; ++e) {
    fields.push_back(leads_field(options, 2, 3, e));
    states.push_back(random_matrix(random, 2, 6 + e));
  }
  Vector params = fields[0]->initial(random);
  for (const double spectral : {0.0, 0.5}) {
    if (spectral > 0) {
      // Nearly rank one, so that the few power iterations converge and the differences see the same vectors.
      const Mlp shape({.widths = {2, 5, 2}});
      for (Eigen::Index e = 0; e < 3; ++e) {
        for (std::size_t layer = 0; layer < 2; ++layer) {
          const Eigen::Index rows = layer == 0 ? 5 : 2, columns = layer == 0 ? 2 : 5;
          Eigen::Map<Matrix>(params.data() + fields[static_cast<std::size_t>(e)]->own_offset() + shape.offset(layer),
                             rows, columns) = random_matrix(random, rows, 1) * random_matrix(random, 1, columns) +
                                              1e-3 * random_matrix(random, rows, columns);
        }
      }
    }
    Vector gradient = Vector::Zero(params.size());
    leads_omega(fields, states, spectral, params, {1.0, &gradient});
    const auto value = [&](const Vector& p) { return leads_omega(fields, states, spectral, p, {0.0, nullptr}); };
    EXPECT_LT(check_gradient(value, params, gradient, 1e-4).worst, kTolerance);
  }
}

TEST(LeadsLotkaVolterra, SetsFollowTheProtocol) {
  const LeadsSets sets = leads_lotka_volterra(1);
  ASSERT_EQ(sets.train.runs.size(), 10U);
  ASSERT_EQ(sets.test.runs.size(), 320U);
  for (const Trajectory& run : sets.train.runs) {
    EXPECT_EQ(run.states.rows(), 20);
    EXPECT_EQ(run.states.row(0), sets.train.runs[0].states.row(0));
  }
  EXPECT_NE(sets.test.runs[0].states.row(0), sets.test.runs[32].states.row(0));
  // δx − γ ln x + βy − α ln y does not change; here for (α, γ) = (0.5, 1).
  const Matrix& s = sets.test.runs[6 * 32 + 3].states;
  const auto level = [&](Eigen::Index i) {
    return 0.5 * s(i, 0) - std::log(s(i, 0)) + 0.5 * s(i, 1) - 0.5 * std::log(s(i, 1));
  };
  for (Eigen::Index i = 1; i < 20; ++i) EXPECT_NEAR(level(i), level(0), 1e-10);
}

TEST(FitLeads, SharedStructureRecoversLotkaVolterra) {
  const LeadsSets sets = leads_lotka_volterra(1);
  const LeadsOptions options = LeadsOptions::for_form(LeadsForm::low_rank_polynomial);
  const LeadsScore score = leads_lotka_volterra_score(sets, {options});
  EXPECT_EQ(score.parameters, 12 + 24 + 20);
  EXPECT_LT(score.mse, 1e-6);
}

Dataset two_environments() {
  Dataset data = leads_lotka_volterra(2).train;
  data.runs.resize(2);
  return data;
}

TEST(FitLeads, PublishedFormLowersItsLossAndReloads) {
  LeadsOptions options = LeadsOptions::published();
  options.hidden = {8};
  options.weight_deviation = 0;
  options.epochs = 120;
  options.adam.learning_rate = 1e-2;
  double first = 0, last = 0;
  TrainingHooks hooks;
  hooks.watch = [&](int epoch, double loss, double) {
    (epoch == 1 ? first : last) = loss;
    return true;
  };
  const Dataset data = two_environments();
  const LeadsFit fit = fit_leads(data, options, hooks);
  EXPECT_LT(last, 0.5 * first);
  ASSERT_EQ(fit.environments.size(), 2U);
  const Model& model = *fit.environments[1];
  const ModelPtr again = load_leads(parse_json(model.to_json().dump(), "m"), "m");
  const Matrix past = data.runs[1].states.topRows(1);
  EXPECT_EQ(model.forecast(past, 19), again->forecast(past, 19));
}

TEST(FitLeads, LeastSquaresFitsTheTrainingRuns) {
  const Dataset data = two_environments();
  LeadsOptions options;
  options.hidden = {6};
  options.activation = Activation::tanh;
  options.ridge = 1e-9;
  options.epochs = 30;
  for (const LeadsForm form : {LeadsForm::mlp, LeadsForm::low_rank}) {
    options.form = form;
    const LeadsFit fit = fit_leads(data, options);
    const Matrix forecast = fit.environments[0]->forecast(data.runs[0].states.topRows(1), 19);
    EXPECT_LT(root_mean_squared_error(forecast, data.runs[0].states.bottomRows(19)), 0.02);
  }
}

TEST(FitLeads, BadDataIsRefused) {
  Dataset data = two_environments();
  data.runs[1].environment = 3;
  EXPECT_ERROR(fit_leads(data, {}), "there is no run of environment 1, though there are environments up to 3");
  data.runs[1].environment = -1;
  EXPECT_ERROR(fit_leads(data, {}), "the number of an environment must not be negative: -1");
  data = two_environments();
  data.control_names = {"u"};
  for (Trajectory& run : data.runs) run.controls = Matrix::Zero(20, 1);
  EXPECT_ERROR(fit_leads(data, {}), "LEADS has no controls, but the data names 1");
  LeadsOptions options;
  options.epochs = 1;
  options.hidden = {2};
  EXPECT_ERROR(leads_holdout_error(two_environments(), options, 20),
               "no run has more than the 20 samples that the fit may see");
}

TEST(LoadLeads, DamagedModelsAreRefused) {
  LeadsOptions options;
  options.epochs = 1;
  options.hidden = {2};
  const Json good = fit_leads(two_environments(), options).environments[0]->to_json();
  Json bad = good;
  bad["network"]["rate"]["environment"] = 1;
  EXPECT_ERROR(load_leads(bad, "m"), "m: the parts of the environment_field do not fit together");
  bad = good;
  bad["network"]["rate"]["shared"] = nullptr;
  bad["network"]["rate"]["own"] = nullptr;
  EXPECT_ERROR(load_leads(bad, "m"), "m: an environment_field needs 'shared' or 'own'");
  bad = good;
  bad["network"]["rate"].erase("rank");
  EXPECT_ERROR(load_leads(bad, "m"), "m: 'rank' is missing from the saved network");
}

}  // namespace
}  // namespace filigree::dynamics
