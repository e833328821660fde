#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "image/scheduler.h"
#include "support/expect_error.h"

namespace filigree::image {
namespace {

/// Data that is normally distributed around m with deviation s has a velocity in closed form, and so has the path of one
/// point: x_σ = (1 − σ) m + sqrt((1 − σ)² s² + σ²) z.
struct Gaussian {
  double m = 0.7, s = 0.5;

  double spread(double sigma) const { return std::sqrt((1 - sigma) * (1 - sigma) * s * s + sigma * sigma); }
  double at(double sigma, double z) const { return (1 - sigma) * m + spread(sigma) * z; }
  double velocity(double x, double sigma) const {
    const double z = (x - (1 - sigma) * m) / spread(sigma);
    return -m + z * (sigma - (1 - sigma) * s * s) / spread(sigma);
  }
};

const Noise kNoNoise = [](at::IntArrayRef shape) { return at::zeros(shape); };

/// The distance of what the scheduler gives from the exact end of the path, in float64.
double error_after(const std::string& name, std::int64_t steps) {
  const Gaussian data;
  const double z = 1.3;
  const auto scheduler = make_scheduler({.name = name, .steps = steps, .shift = 1});
  const std::vector<float>& sigma = scheduler->schedule().sigma;
  const Velocity velocity = [&](const at::Tensor& x, std::size_t i) {
    return at::full({1}, data.velocity(x.item<double>(), static_cast<double>(sigma[i])), at::kDouble);
  };
  at::Tensor x = at::full({1}, data.at(static_cast<double>(sigma[0]), z), at::kDouble);
  for (std::size_t i = 0; i < scheduler->steps(); ++i) x = scheduler->step(i, x, velocity, kNoNoise);
  return std::abs(x.item<double>() - data.at(0, z));
}

TEST(Scheduler, EulerHasFirstOrder) {
  const double ratio = error_after("euler", 40) / error_after("euler", 80);
  EXPECT_GT(ratio, 1.7);
  EXPECT_LT(ratio, 2.3);
}

TEST(Scheduler, OthersAreBetterThanEuler) {
  const double euler = error_after("euler", 40);
  for (const std::string name : {"heun", "unipc", "flow-unipc", "dpm++"}) {
    EXPECT_LT(error_after(name, 40), euler / 5) << name;
    EXPECT_LT(error_after(name, 80), error_after(name, 40) / 2) << name;
  }
}

TEST(Scheduler, HeunHasSecondOrder) {
  const double ratio = error_after("heun", 40) / error_after("heun", 80);
  EXPECT_GT(ratio, 3);
}

/// A network that always knows the data: every scheduler ends there, but flash, which keeps the last σ of noise.
TEST(Scheduler, EndsAtTheData) {
  const at::Tensor data = at::full({1, 2}, 3.0), noise = at::full({1, 2}, -1.0);
  for (const std::string& name : scheduler_names()) {
    const auto scheduler = make_scheduler({.name = name, .steps = 5, .shift = 3});
    const std::vector<float>& sigma = scheduler->schedule().sigma;
    const Velocity velocity = [&](const at::Tensor& x, std::size_t i) { return (x - data) / sigma[i]; };
    const Noise fresh = [&](at::IntArrayRef shape) { return noise.expand(shape); };
    at::Tensor x = noise;
    for (std::size_t i = 0; i < 5; ++i) x = scheduler->step(i, x, velocity, fresh);
    const at::Tensor expected = name == "flash" ? (1 - sigma[4]) * data + sigma[4] * noise : data;
    EXPECT_LE((x - expected).abs().max().item<double>(), 1e-5) << name;
  }
}

TEST(Scheduler, CancelledVelocityEndsTheStep) {
  for (const std::string& name : scheduler_names()) {
    const auto scheduler = make_scheduler({.name = name, .steps = 5, .shift = 3});
    const Velocity cancelled = [](const at::Tensor&, std::size_t) { return at::Tensor(); };
    EXPECT_FALSE(scheduler->step(0, at::zeros({1}), cancelled, kNoNoise).defined()) << name;
  }
}

void expect_list(const std::vector<float>& list, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(list.size(), expected.size());
  for (std::size_t i = 0; i < list.size(); ++i) EXPECT_NEAR(static_cast<double>(list[i]), expected[i], tolerance) << i;
}

/// Full lists of the published schedules, to six digits.
TEST(Scheduler, PublishedLists) {
  constexpr double kDigits = 1e-6;
  const Variant &full = find_variant("full"), &dev = find_variant("dev"), &fast = find_variant("fast");
  const Schedule original = make_scheduler({"flow-unipc", full.steps, full.shift, std::exp(1.15)})->schedule();
  expect_list(original.sigma,
              {.999894, .993473, .986871, .980082, .973095, .965904, .958499, .950870, .943007, .934899, .926534,
               .917900, .908984, .899771, .890247, .880396, .870200, .859641, .848700, .837354, .825582, .813358,
               .800657, .787449, .773704, .759389, .744467, .728898, .712640, .695646, .677865, .659241, .639712,
               .619211, .597663, .574986, .551090, .525872, .499220, .471009, .441097, .409326, .375516, .339465,
               .300943, .259687, .215395, .167718, .116253, .060531, 0},
              kDigits);
  expect_list(original.timestep, {999, 993, 986, 980, 973, 965, 958, 950, 943, 934, 926, 917, 908, 899, 890, 880, 870,
                                  859, 848, 837, 825, 813, 800, 787, 773, 759, 744, 728, 712, 695, 677, 659, 639, 619,
                                  597, 574, 551, 525, 499, 471, 441, 409, 375, 339, 300, 259, 215, 167, 116, 60},
              0);
  const Schedule unipc = make_scheduler({"unipc", full.steps, full.shift, 0})->schedule();
  expect_list(unipc.sigma,
              {.999999, .993250, .986315, .979188, .971861, .964324, .956569, .948586, .940365, .931896, .923166,
               .914163, .904875, .895288, .885387, .875156, .864579, .853638, .842313, .830584, .818430, .805826,
               .792746, .779165, .765052, .750375, .735100, .719189, .702603, .685296, .667222, .648327, .628555,
               .607844, .586124, .563320, .539348, .514118, .487526, .459461, .429795, .398387, .365081, .329698,
               .292037, .251872, .208944, .162959, .113576, .060405, 0},
              kDigits);
  expect_list(unipc.timestep, {999, 993, 986, 979, 971, 964, 956, 948, 940, 931, 923, 914, 904, 895, 885, 875, 864,
                               853, 842, 830, 818, 805, 792, 779, 765, 750, 735, 719, 702, 685, 667, 648, 628, 607,
                               586, 563, 539, 514, 487, 459, 429, 398, 365, 329, 292, 251, 208, 162, 113, 60},
              0);
  for (const std::string name : {"lcm", "flash"}) {
    const Schedule first = make_scheduler({name, dev.steps, dev.shift, 0})->schedule();
    expect_list(first.sigma, {1,       .993670, .986926, .979726, .972023, .963761, .954878, .945301, .934945, .923711,
                              .911483, .898123, .883465, .867310, .849419, .829493, .807166, .781976, .753333, .720477,
                              .682403, .637762, .584694, .520563, .441509, .341637, .211475, .034783, 0},
                kDigits);
    const Schedule second = make_scheduler({name, fast.steps, fast.shift, 0})->schedule();
    expect_list(second.sigma,
                {1, .976817, .951380, .923343, .892285, .857692, .818923, .775174, .725417, .668327, .602151, .524533,
                 .432225, .320621, .182965, .008929, 0},
                kDigits);
    EXPECT_EQ(second.timestep[1], second.sigma[1] * 1000);
  }
}

TEST(Scheduler, OneStepWorks) {
  for (const std::string& name : scheduler_names()) {
    const Schedule schedule = make_scheduler({.name = name, .steps = 1, .shift = 3})->schedule();
    EXPECT_EQ(schedule.sigma.size(), 2U) << name;
    EXPECT_TRUE(std::isfinite(schedule.sigma[0])) << name;
  }
}

TEST(Scheduler, WrongSettings) {
  EXPECT_ERROR(make_scheduler({.name = "unipcc"}),
               "there is no scheduler 'unipcc'; did you mean 'unipc'? (known: euler, heun, unipc, flow-unipc, dpm++, "
               "lcm, flash)");
  EXPECT_ERROR(make_scheduler({.name = "euler", .steps = 0}), "0 steps cannot be taken; expected 1 to 1000");
  EXPECT_ERROR(make_scheduler({.name = "euler", .steps = 5, .shift = 0}),
               "a shift of 0 makes no schedule; expected more than 0");
  EXPECT_ERROR(find_variant("fats"), "there is no variant 'fats'; did you mean 'fast'? (known: full, dev, fast)");
}

TEST(Scheduler, PublishedConfigs) {
  const SchedulerSettings settings =
      scheduler_from_json({{"_class_name", "UniPCMultistepScheduler"}, {"flow_shift", 2.5}}, "x.json");
  EXPECT_EQ(settings.name, "unipc");
  EXPECT_EQ(settings.shift, 2.5);
  EXPECT_ERROR(scheduler_from_json({{"_class_name", "PNDMScheduler"}}, "x.json"),
               "x.json: a scheduler of class 'PNDMScheduler' is not known (known: FlowMatchEulerDiscreteScheduler, "
               "FlowMatchHeunDiscreteScheduler, UniPCMultistepScheduler, FlowUniPCMultistepScheduler, "
               "DPMSolverMultistepScheduler, FlowMatchLCMScheduler, FlashFlowMatchEulerDiscreteScheduler)");
  EXPECT_ERROR(scheduler_from_json({{"_class_name", "FlowMatchLCMScheduler"}, {"shift", "big"}}, "x.json"),
               "x.json: shift is \"big\"; expected a number greater than 0");
}

}  // namespace
}  // namespace filigree::image
