#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <utility>

#include "pipelines/medical/medical_model.hpp"

namespace reseda::tests {

/// A small network with random weights, the last convolution included, so that it changes its input.
inline medical::MedicalModel small_model(const std::string& task, std::int64_t neighbours) {
  const auto number = [](std::int64_t value) { return ConfigNode(std::to_string(value)); };
  restoration::RestorationModelConfig config;
  config.black = 0;
  config.white = 1;
  config.clip = 2;
  config.patch = 2;
  config.level_is_unit = true;
  config.network = ConfigNode::map();
  config.network["name"] = ConfigNode("rddm_unet");
  config.network["nets"] = ConfigNode("one");
  config.network["self_condition"] = ConfigNode("false");
  for (const auto& [key, value] : {std::pair{"dim", 8}, {"channels", 4}, {"out_dim", 4}, {"resnet_block_groups", 4}})
    config.network[key] = number(value);
  ConfigNode mults = ConfigNode::list();
  mults.append(number(1));
  mults.append(number(2));
  config.network["dim_mults"] = mults;
  config.network["condition_channels"] = number(4 * (2 * neighbours + 2));
  config.process = ConfigNode::map();
  config.process["name"] = ConfigNode("rddm");
  config.process["sum_scale"] = ConfigNode("0.0001");
  config.sampler = ConfigNode::map();
  config.sampler["name"] = ConfigNode("bridge_ddim");
  config.sampler["steps"] = number(1);
  at::manual_seed(11);
  return {restoration::RestorationModel(config),
          {.task = task, .modality = "any", .intensity = {.least = -0.25}, .neighbours = neighbours}};
}

}  // namespace reseda::tests
