#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "modules/diffusion/process.hpp"
#include "modules/inverse/operators/mri.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {

/// The process ve with the sigma_min and sigma_max of a run, where it has them.
inline std::unique_ptr<diffusion::Process> ve_process(const nlohmann::json& run) {
  nlohmann::json config = {{"name", "ve"}};
  for (const char* key : {"sigma_min", "sigma_max"})
    if (run.contains(key)) config[key] = run.at(key);
  return diffusion::make_process(to_config(config));
}

/// The operator mri with a recorded mask and, where defined, coil maps, for images like x; the adjoint that official
/// code takes.
inline std::unique_ptr<inverse::Mri> recorded_mri(const at::Tensor& x, const at::Tensor& mask, const at::Tensor& maps,
                                                  const std::string& values, const std::string& origin) {
  inverse::MriConfig config;
  config.image = {x.size(1), x.size(2), x.size(3)};
  config.values = values;
  config.origin = origin;
  config.adjoint = "inverse";
  return std::make_unique<inverse::Mri>(config, mask, maps);
}

}  // namespace reseda::golden
