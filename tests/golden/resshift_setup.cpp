#include "tests/golden/resshift_setup.hpp"

#include <ATen/ATen.h>

namespace reseda::golden {
namespace {

diffusion::ResshiftScheduleConfig schedule_config(const nlohmann::json& settings, bool cap_start) {
  diffusion::ResshiftScheduleConfig config;
  config.schedule = settings.at("schedule_name");
  config.steps = settings.at("steps");
  config.power = settings.at("schedule_kwargs").at("power");
  config.etas_end = settings.at("etas_end");
  config.min_noise_level = settings.at("min_noise_level");
  config.kappa = settings.at("kappa");
  config.cap_start = cap_start;
  if (!settings.at("timestep_respacing").is_null()) config.respacing = settings["timestep_respacing"];
  return config;
}

}  // namespace

diffusion::ResshiftConfig resshift_config(const nlohmann::json& settings, bool cap_start) {
  return {.coefficients = schedule_config(settings, cap_start),
          .normalize_input = settings.at("normalize_input"),
          .latent_flag = settings.at("latent_flag")};
}

diffusion::UpsrConfig upsr_config(const nlohmann::json& settings) {
  return {.coefficients = schedule_config(settings, /*cap_start=*/true), .uncertainty = {}};
}

bool is_resshift(const GoldenCase& golden) {
  return golden.json().at("official").at("repo").get<std::string>().ends_with("/ResShift");
}

diffusion::Target resshift_target(const std::string& predict_type) {
  if (predict_type == "xstart") return diffusion::Target::kX0;
  if (predict_type == "residual") return diffusion::Target::kResidual;
  return predict_type == "epsilon" ? diffusion::Target::kEps : diffusion::Target::kScaledEps;
}

at::Tensor times_of(const at::Tensor& indices, const diffusion::Process& process) {
  return (indices + 1).to(at::kDouble) / static_cast<double>(process.steps());
}

}  // namespace reseda::golden
