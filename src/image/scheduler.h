#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "base/json.h"

/// From noise to latents, by name. Everything is flow matching: x_σ = (1 − σ) data + σ noise, σ from 1 down to 0, and the
/// velocity v = noise − data, so that data = x − σ v. S steps; latents in float32.
namespace filigree::image {

/// Standard normal numbers of a shape, float32.
using Noise = std::function<at::Tensor(at::IntArrayRef shape)>;

/// The velocity at latents for the timestep of a step. An undefined tensor says that the work was cancelled.
using Velocity = std::function<at::Tensor(const at::Tensor& latents, std::size_t step)>;

struct Schedule {
  std::vector<float> sigma;     ///< S + 1, the last one 0
  std::vector<float> timestep;  ///< S: what the network is told
};

struct SchedulerSettings {
  std::string name = "unipc";
  std::int64_t steps = 50;
  double shift = 3;  ///< σ becomes shift σ / (1 + (shift − 1) σ): above 1, more of the steps are spent in noise
  /// flow-unipc alone: the shift of its second pass; 0: the same. HiDream's own pipeline gives exp(1.15) for its full
  /// model.
  double second_shift = 0;
};

/// Walks down a schedule. Multi-step ones remember what the steps before gave, so steps are taken in order; the first may
/// be any.
class Scheduler {
 public:
  explicit Scheduler(Schedule schedule) : schedule_(std::move(schedule)) {}
  virtual ~Scheduler() = default;

  const Schedule& schedule() const { return schedule_; }
  std::size_t steps() const { return schedule_.timestep.size(); }

  /// Latents at σ of step + 1 from those at σ of step. Undefined where the velocity is.
  virtual at::Tensor step(std::size_t step, const at::Tensor& latents, const Velocity& velocity,
                          const Noise& noise) = 0;

 protected:
  double sigma(std::size_t i) const { return static_cast<double>(schedule_.sigma[i]); }

 private:
  Schedule schedule_;
};

/// euler       flow-matching Euler (diffusers: FlowMatchEulerDiscreteScheduler)
/// heun        the same of second order, two evaluations a step but the last
/// unipc       UniPC of order 2 with flow sigmas (diffusers: UniPCMultistepScheduler; arXiv 2302.04867)
/// flow-unipc  the same with HiDream's own schedule (FlowUniPCMultistepScheduler)
/// dpm++       DPM-Solver++ 2M (arXiv 2211.01095)
/// lcm         to the data and back to the next σ with fresh noise, each step (diffusers: FlowMatchLCMScheduler)
/// flash       the same as HiDream's own code has it, where the last step changes nothing
std::unique_ptr<Scheduler> make_scheduler(const SchedulerSettings& settings);

std::vector<std::string> scheduler_names();

/// Error, with the nearest name, where there is none of this name.
void check_scheduler_name(const std::string& name);

/// Name and shift from a published scheduler_config.json. Error for a class that is not known.
SchedulerSettings scheduler_from_json(const Json& json, const std::string& where);

/// A published model, with what it is run with.
struct Variant {
  std::string name;
  std::int64_t steps;
  double guidance;
  double shift;
  std::string scheduler;           ///< of the published folder
  std::string original_scheduler;  ///< of HiDream's own code
};

/// full, dev, fast (HiDream-ai/HiDream-I1: inference.py).
const std::vector<Variant>& variants();

/// Error with the names where there is none of this name.
const Variant& find_variant(const std::string& name);

}  // namespace filigree::image
