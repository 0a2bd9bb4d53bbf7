#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "modules/diffusion/processes/rddm.hpp"
#include "modules/diffusion/processes/resfusion_schedule.hpp"
#include "modules/diffusion/rddm_denoiser.hpp"

namespace reseda::golden {

/// The schedule of an experiment of RDDM's repository (E0 to E6), from {variant, T or timesteps, sum_scale, condition,
/// ddim_schedule, init}.
diffusion::RddmScheduleConfig rddm_coefficients_of(const nlohmann::json& settings);
/// Its arrays, as the constructor makes them or the method `init` that official test programs call.
diffusion::RddmSchedule rddm_schedule_of(const nlohmann::json& settings);
/// Its process: with the experiment's times for the network, and its start.
std::unique_ptr<diffusion::Rddm> rddm_process_of(const nlohmann::json& settings);
/// Its objective, from {objective, test_res_or_noise or mode, clip, alpha_res or alpha_res_to_0_or_1}.
diffusion::RddmDenoiserConfig rddm_objective_of(const nlohmann::json& settings);

/// A schedule of Resfusion's repository, from {class, args}. @throws Error{kInput} for a class without one here
diffusion::ResfusionScheduleConfig resfusion_schedule_of(const nlohmann::json& scheduler);

}  // namespace reseda::golden
