#include "image/schedule.h"

#include <cmath>

namespace filigree::image {
namespace {

constexpr double kTrainSteps = 1000;

/// n numbers evenly from `first` to `last`; with `open`, n of n + 1 without the last.
std::vector<double> evenly(double first, double last, std::int64_t n, bool open = false) {
  const auto intervals = static_cast<double>(open ? n : n - 1);
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < n; ++i) {
    // One step goes from the first number.
    numbers.push_back(intervals > 0 ? first + (last - first) * static_cast<double>(i) / intervals : first);
  }
  return numbers;
}

/// In float32, as the published table is computed.
double shifted_float(float sigma, float shift) { return shift * sigma / (1 + (shift - 1) * sigma); }

Schedule with_float_timesteps(const std::vector<double>& sigmas) {
  Schedule schedule;
  for (const double sigma : sigmas) {
    schedule.sigma.push_back(static_cast<float>(sigma));
    schedule.timestep.push_back(schedule.sigma.back() * static_cast<float>(kTrainSteps));
  }
  schedule.sigma.push_back(0);
  return schedule;
}

Schedule with_whole_timesteps(const std::vector<double>& sigmas) {
  Schedule schedule;
  for (const double sigma : sigmas) {
    schedule.sigma.push_back(static_cast<float>(sigma));
    schedule.timestep.push_back(static_cast<float>(std::trunc(sigma * kTrainSteps)));
  }
  schedule.sigma.push_back(0);
  return schedule;
}

}  // namespace

double shifted(double sigma, double shift) { return shift * sigma / (1 + (shift - 1) * sigma); }

Schedule twice_shifted(const SchedulerSettings& settings) {
  const auto shift = static_cast<float>(settings.shift);
  const double largest = shifted_float(1, shift);
  const double smallest = shifted_float(1 / static_cast<float>(kTrainSteps), shift);
  std::vector<double> sigmas = evenly(largest * kTrainSteps, smallest * kTrainSteps, settings.steps);
  for (double& sigma : sigmas) sigma = shifted(sigma / kTrainSteps, settings.shift);
  return with_float_timesteps(sigmas);
}

Schedule unipc_schedule(const SchedulerSettings& settings) {
  std::vector<double> sigmas = evenly(1, 1 / kTrainSteps, settings.steps, true);
  for (double& sigma : sigmas) sigma = shifted(sigma, settings.shift);
  constexpr double kBelowOne = 1e-6;  // ln(1 − σ) is not finite at 1
  if (std::abs(sigmas[0] - 1) < kBelowOne) sigmas[0] -= kBelowOne;
  return with_whole_timesteps(sigmas);
}

Schedule flow_unipc_schedule(const SchedulerSettings& settings) {
  const double largest = shifted_float(static_cast<float>(1 - 1 / kTrainSteps), static_cast<float>(settings.shift));
  std::vector<double> sigmas = evenly(largest, 0, settings.steps, true);
  const double second = settings.second_shift > 0 ? settings.second_shift : settings.shift;
  for (double& sigma : sigmas) sigma = shifted(sigma, second);
  return with_whole_timesteps(sigmas);
}

Schedule plain_schedule(const SchedulerSettings& settings) {
  std::vector<double> sigmas = evenly(1, 1 / kTrainSteps, settings.steps, true);
  for (double& sigma : sigmas) sigma = shifted(sigma, settings.shift);
  return with_float_timesteps(sigmas);
}

}  // namespace filigree::image
