#include "tests/golden/rddm_variant.hpp"

#include "modules/core/error.hpp"

namespace reseda::golden {
namespace {

constexpr double kDefaultScale = 0.01;  // of restoration, where the json gives 0 or nothing

std::string variant_of(const nlohmann::json& settings) { return settings.at("variant").get<std::string>(); }

std::string family_of(const std::string& variant) {
  if (variant == "E2") return "ramp";
  if (variant == "E4" || variant == "E6") return "power";
  if (variant == "E0" || variant == "E0joint" || variant == "E3" || variant == "E5") return "ddim";
  detail::raise(Errc::kInput, "variant '", variant, "' of RDDM is not known");
}

double scale_of(const nlohmann::json& settings) {
  const bool given = settings.contains("sum_scale") && !settings["sum_scale"].is_null();
  const double scale = given ? settings["sum_scale"].get<double>() : 0.0;
  if (scale != 0.0) return scale;
  return settings.value("condition", false) ? kDefaultScale : 1.0;
}

}  // namespace

diffusion::RddmScheduleConfig rddm_coefficients_of(const nlohmann::json& settings) {
  diffusion::RddmScheduleConfig config;
  config.schedule = family_of(variant_of(settings));
  config.steps = settings.contains("T") ? settings["T"].get<std::int64_t>() : settings.value("timesteps", 1000);
  config.sum_scale = scale_of(settings);
  config.betas = settings.value("ddim_schedule", "linear");
  config.beta_first = settings.value("beta_start", config.beta_first);
  config.beta_last = settings.value("beta_end", config.beta_last);
  if (settings.value("init", false)) {
    config.steps = 1000;
    if (config.schedule == "power") {
      config.residual_power = 2;
      config.noise = "average";
    }
  }
  return config;
}

diffusion::RddmSchedule rddm_schedule_of(const nlohmann::json& settings) {
  const bool test = settings.value("init", false);
  return diffusion::rddm_schedule(rddm_coefficients_of(settings),
                                  test ? diffusion::RddmInit::kTest : diffusion::RddmInit::kConstructor);
}

std::unique_ptr<diffusion::Rddm> rddm_process_of(const nlohmann::json& settings) {
  const std::string variant = variant_of(settings);
  diffusion::RddmConfig config;
  config.coefficients = rddm_coefficients_of(settings);
  config.time = variant == "E2" || variant == "E3" || variant == "E6" ? "index" : "both";
  config.start = settings.value("condition", false) ? "measurement" : "noise";
  return std::make_unique<diffusion::Rddm>(config, rddm_schedule_of(settings));
}

diffusion::RddmDenoiserConfig rddm_objective_of(const nlohmann::json& settings) {
  diffusion::RddmDenoiserConfig config;
  config.objective = settings.value("objective", "pred_res_noise");
  const std::string mode = settings.value(settings.contains("mode") ? "mode" : "test_res_or_noise", "res_noise");
  if (config.objective == "pred_res_noise" || config.objective == "pred_x0_noise")
    config.use = mode == "noise" ? "second" : mode == "res" || mode == "x0" ? "first" : "both";
  if (!settings.value("clip", true)) config.clip = config.clip_residual = 0.0;
  config.share_of_residual = settings.value(settings.contains("alpha_res") ? "alpha_res" : "alpha_res_to_0_or_1", 0.5);
  return config;
}

diffusion::ResfusionScheduleConfig resfusion_schedule_of(const nlohmann::json& scheduler) {
  const std::string type = scheduler.at("class").get<std::string>();
  const nlohmann::json args = scheduler.value("args", nlohmann::json::object());
  diffusion::ResfusionScheduleConfig config;
  if (type == "LinearProScheduler")
    config.schedule = "linear_pro";
  else if (type == "CosineProScheduler")
    config.schedule = "cosine_pro";
  else if (type == "LinearScheduler")
    config.schedule = "linear";
  else if (type == "CosineScheduler")
    config.schedule = "cosine";
  else
    detail::raise(Errc::kInput, "scheduler '", type, "' of Resfusion is not known");
  config.steps = args.at("T").get<std::int64_t>();
  config.beta_first = args.value("beta_start", config.beta_first);
  config.beta_last = args.value("beta_end", config.beta_last);
  config.offset = args.value("s", config.offset);
  return config;
}

}  // namespace reseda::golden
