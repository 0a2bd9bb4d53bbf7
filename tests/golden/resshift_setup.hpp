#pragma once

#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>
#include <string>

#include "modules/diffusion/denoiser.hpp"
#include "modules/diffusion/processes/resshift.hpp"
#include "modules/diffusion/processes/upsr.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {

/// The processes of official settings. ResShift's own code has no cap on the first step.
diffusion::ResshiftConfig resshift_config(const nlohmann::json& settings, bool cap_start);
diffusion::UpsrConfig upsr_config(const nlohmann::json& settings);
/// Whether a case is of ResShift's own code.
bool is_resshift(const GoldenCase& golden);
/// The target of an official predict_type.
diffusion::Target resshift_target(const std::string& predict_type);
/// Official indices as times of the process, [B] float64.
at::Tensor times_of(const at::Tensor& indices, const diffusion::Process& process);

}  // namespace reseda::golden
