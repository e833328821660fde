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

TEST(Scheduler, PublishedLists) {
  const Variant& fast = find_variant("fast");
  const Schedule lcm = make_scheduler({.name = "lcm", .steps = fast.steps, .shift = fast.shift})->schedule();
  expect_list(lcm.sigma,
              {1, .976817, .951380, .923343, .892285, .857692, .818923, .775174, .725417, .668327, .602151, .524533,
               .432225, .320621, .182965, .008929, 0},
              1e-6);
  EXPECT_EQ(lcm.timestep[1], lcm.sigma[1] * 1000);
  const Variant& dev = find_variant("dev");
  const Schedule flash = make_scheduler({.name = "flash", .steps = dev.steps, .shift = dev.shift})->schedule();
  EXPECT_NEAR(static_cast<double>(flash.sigma[27]), .034783, 1e-6);
  EXPECT_NEAR(static_cast<double>(flash.sigma[14]), .849419, 1e-6);
  const Schedule full =
      make_scheduler({.name = "flow-unipc", .steps = 50, .shift = 3, .second_shift = std::exp(1.15)})->schedule();
  EXPECT_NEAR(static_cast<double>(full.sigma[0]), .999894, 1e-6);
  EXPECT_NEAR(static_cast<double>(full.sigma[30]), .677865, 1e-6);
  EXPECT_NEAR(static_cast<double>(full.sigma[49]), .060531, 1e-6);
  EXPECT_EQ(full.timestep[30], 677);
  EXPECT_EQ(full.timestep[0], 999);
  const Schedule unipc = make_scheduler({.name = "unipc", .steps = 50, .shift = 3})->schedule();
  EXPECT_NEAR(static_cast<double>(unipc.sigma[1]), .993250, 1e-6);
  EXPECT_NEAR(static_cast<double>(unipc.sigma[49]), .060405, 1e-6);
  EXPECT_EQ(unipc.timestep[0], 999);
  EXPECT_EQ(unipc.timestep[2], 986);
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
