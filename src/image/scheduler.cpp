#include "image/scheduler.h"

#include <cmath>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/text.h"
#include "image/schedule.h"
#include "image/unipc.h"

namespace filigree::image {
namespace {

/// x += (σ' − σ) v.
class Euler : public Scheduler {
 public:
  using Scheduler::Scheduler;
  at::Tensor step(std::size_t i, const at::Tensor& x, const Velocity& velocity, const Noise&) override {
    const at::Tensor v = velocity(x, i);
    return v.defined() ? x + (sigma(i + 1) - sigma(i)) * v : v;
  }
};

/// Euler's result is looked at again, and the mean of both velocities is followed.
class Heun : public Scheduler {
 public:
  using Scheduler::Scheduler;
  at::Tensor step(std::size_t i, const at::Tensor& x, const Velocity& velocity, const Noise&) override {
    const at::Tensor v = velocity(x, i);
    if (!v.defined()) return v;
    const double width = sigma(i + 1) - sigma(i);
    const at::Tensor ahead = x + width * v;
    if (i + 1 == steps()) return ahead;
    const at::Tensor second = velocity(ahead, i + 1);
    return second.defined() ? x + width / 2 * (v + second) : second;
  }
};

/// DPM-Solver++ 2M. With α = 1 − σ, λ = ln(α / σ) and h = λ' − λ: x' = σ'/σ x − α' (exp(−h) − 1) D, where D is the data
/// at this step, led on from that of the step before. The last step is of first order: h is infinite there.
class DpmPlusPlus : public Scheduler {
 public:
  using Scheduler::Scheduler;
  at::Tensor step(std::size_t i, const at::Tensor& x, const Velocity& velocity, const Noise&) override {
    const at::Tensor v = velocity(x, i);
    if (!v.defined()) return v;
    const at::Tensor data = x - sigma(i) * v;
    const double now = sigma(i), next = sigma(i + 1);
    at::Tensor led = data;
    if (before_.defined() && next > 0) {
      const double width = lambda(next) - lambda(now), width_before = lambda(now) - lambda(sigma(i - 1));
      led = data + width / (2 * width_before) * (data - before_);  // 0 where the step before came from σ = 1
    }
    before_ = data;
    // α' exp(−h) = α σ' / σ, which is finite for σ = 1 and for σ' = 0.
    return next / now * x - ((1 - now) * next / now - (1 - next)) * led;
  }

 private:
  static double lambda(double sigma) { return std::log1p(-sigma) - std::log(sigma); }
  at::Tensor before_;
};

/// data, then x = (1 − σ') data + σ' noise.
class Renoise : public Scheduler {
 public:
  Renoise(Schedule schedule, bool last_changes_nothing)
      : Scheduler(std::move(schedule)), last_changes_nothing_(last_changes_nothing) {}

  at::Tensor step(std::size_t i, const at::Tensor& x, const Velocity& velocity, const Noise& noise) override {
    const bool last = i + 1 == steps();
    // The published code calls the network here too and throws the result away.
    if (last && last_changes_nothing_) return x;
    const at::Tensor v = velocity(x, i);
    if (!v.defined()) return v;
    const at::Tensor data = x - sigma(i) * v;
    if (last) return data;
    return (1 - sigma(i + 1)) * data + sigma(i + 1) * noise(x.sizes()).to(x.device());
  }

 private:
  bool last_changes_nothing_;
};

struct Kind {
  std::string name;
  Schedule (*schedule)(const SchedulerSettings&);
  std::unique_ptr<Scheduler> (*make)(Schedule);
};

template <class T>
std::unique_ptr<Scheduler> make(Schedule schedule) {
  return std::make_unique<T>(std::move(schedule));
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> table{
      {"euler", twice_shifted, make<Euler>},
      {"heun", plain_schedule, make<Heun>},
      {"unipc", unipc_schedule, make<UniPc>},
      {"flow-unipc", flow_unipc_schedule, make<UniPc>},
      {"dpm++", plain_schedule, make<DpmPlusPlus>},
      {"lcm", twice_shifted,
       [](Schedule schedule) -> std::unique_ptr<Scheduler> {
         return std::make_unique<Renoise>(std::move(schedule), false);
       }},
      {"flash", twice_shifted,
       [](Schedule schedule) -> std::unique_ptr<Scheduler> {
         return std::make_unique<Renoise>(std::move(schedule), true);
       }},
  };
  return table;
}

}  // namespace

std::vector<std::string> scheduler_names() {
  std::vector<std::string> names;
  for (const Kind& kind : kinds()) names.push_back(kind.name);
  return names;
}

void check_scheduler_name(const std::string& name) {
  const std::vector<std::string> names = scheduler_names();
  for (const std::string& known : names) {
    if (known == name) return;
  }
  fail("there is no scheduler '{}'{} (known: {})", name, text::did_you_mean(name, names), text::join(names, ", "));
}

std::unique_ptr<Scheduler> make_scheduler(const SchedulerSettings& settings) {
  constexpr std::int64_t kMostSteps = 1000;
  check_scheduler_name(settings.name);
  if (settings.steps < 1 || settings.steps > kMostSteps) {
    fail("{} steps cannot be taken; expected 1 to {}", settings.steps, kMostSteps);
  }
  if (!(settings.shift > 0 && settings.second_shift >= 0)) {
    fail("a shift of {} makes no schedule; expected more than 0",
         settings.shift > 0 ? settings.second_shift : settings.shift);
  }
  for (const Kind& kind : kinds()) {
    if (kind.name == settings.name) return kind.make(kind.schedule(settings));
  }
  FILIGREE_ASSERT(false);
  return nullptr;
}

SchedulerSettings scheduler_from_json(const Json& json, const std::string& where) {
  static const std::vector<std::pair<std::string, std::string>> classes{
      {"FlowMatchEulerDiscreteScheduler", "euler"},
      {"FlowMatchHeunDiscreteScheduler", "heun"},
      {"UniPCMultistepScheduler", "unipc"},
      {"FlowUniPCMultistepScheduler", "flow-unipc"},
      {"DPMSolverMultistepScheduler", "dpm++"},
      {"FlowMatchLCMScheduler", "lcm"},
      {"FlashFlowMatchEulerDiscreteScheduler", "flash"},
  };
  const std::string published = json.is_object() && json.contains("_class_name") && json["_class_name"].is_string()
                                    ? json["_class_name"].get<std::string>()
                                    : "";
  SchedulerSettings settings;
  settings.name.clear();
  std::vector<std::string> names;
  for (const auto& [class_name, name] : classes) {
    names.push_back(class_name);
    if (class_name == published) settings.name = name;
  }
  if (settings.name.empty()) {
    fail("{}: a scheduler of class '{}' is not known (known: {})", where, published, text::join(names, ", "));
  }
  for (const char* key : {"flow_shift", "shift"}) {
    const auto it = json.find(key);
    if (it == json.end() || it->is_null()) continue;
    if (!it->is_number() || it->get<double>() <= 0) {
      fail("{}: {} is {}; expected a number greater than 0", where, key, it->dump());
    }
    settings.shift = it->get<double>();
  }
  return settings;
}

const std::vector<Variant>& variants() {
  static const std::vector<Variant> table{
      {"full", 50, 5.0, 3.0, "unipc", "flow-unipc"},
      {"dev", 28, 0.0, 6.0, "lcm", "flash"},
      {"fast", 16, 0.0, 3.0, "lcm", "flash"},
  };
  return table;
}

const Variant& find_variant(const std::string& name) {
  std::vector<std::string> names;
  for (const Variant& variant : variants()) {
    if (variant.name == name) return variant;
    names.push_back(variant.name);
  }
  fail("there is no variant '{}'{} (known: {})", name, text::did_you_mean(name, names), text::join(names, ", "));
}

}  // namespace filigree::image
