#include <filesystem>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "image/scheduler.h"
#include "support/paths.h"
#include "tensor/safetensors.h"

/// The lists of the HiDream case's runs. Steps come from the case, shifts from its scheduler or the published variant.
namespace filigree::image {
namespace {

namespace fs = std::filesystem;

constexpr double kSigmas = 1e-6;  // relative for timesteps: they are float32 of up to 1000

class ScheduleReference : public testing::TestWithParam<std::tuple<std::string, std::string, std::string>> {};

TEST_P(ScheduleReference, SigmasAndTimesteps) {
  const fs::path folder = fs::path(test::reference_dir()) / "hidream";
  if (!fs::is_directory(folder)) GTEST_SKIP() << "no reference case at " << folder.string();
  const auto& [run, name, variant] = GetParam();
  const tensor::SafeTensors file = tensor::SafeTensors::open(folder / "reference.safetensors");
  const at::Tensor sigmas = file.get(run + ".sigmas"), timesteps = file.get(run + ".timesteps");
  const fs::path config = folder / "model" / "scheduler" / "scheduler_config.json";
  SchedulerSettings settings = scheduler_from_json(load_json(config), config.string());
  settings.name = name;
  settings.steps = timesteps.numel();
  if (!variant.empty()) settings.shift = find_variant(variant).shift;
  const Schedule schedule = make_scheduler(settings)->schedule();
  const at::Tensor sigma = at::tensor(schedule.sigma), timestep = at::tensor(schedule.timestep);
  ASSERT_EQ(sigma.sizes(), sigmas.sizes());
  EXPECT_LE((sigma - sigmas).abs().max().item<double>(), kSigmas);
  EXPECT_LE(((timestep - timesteps) / timesteps).abs().max().item<double>(), kSigmas);
}

INSTANTIATE_TEST_SUITE_P(Runs, ScheduleReference,
                         testing::Values(std::tuple{"euler", "euler", ""}, std::tuple{"euler_wide", "euler", ""},
                                         std::tuple{"unipc", "unipc", ""}, std::tuple{"flow_unipc", "flow-unipc", ""},
                                         std::tuple{"lcm_dev", "lcm", "dev"}, std::tuple{"lcm_fast", "lcm", "fast"},
                                         std::tuple{"flash", "flash", "dev"}),
                         [](const auto& run) { return std::get<0>(run.param); });

}  // namespace
}  // namespace filigree::image
