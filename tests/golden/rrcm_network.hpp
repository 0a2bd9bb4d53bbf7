#pragma once

#include <memory>

#include "modules/nets/rrcm_vit.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {

/// The settings of rRCM's network in a json. @param classes  0 for the encoder with its projector
nets::RrcmVitConfig rrcm_config(const nlohmann::json& config, std::int64_t classes);

/// rRCM's network by a json's settings, with weights.
std::shared_ptr<nets::RrcmVit> make_rrcm(const nlohmann::json& config, std::int64_t classes, const StateDict& weights);

/// The tensor of a network by its name. @throws Error{kInput} where there is none
at::Tensor tensor_of(const nets::Network& network, const std::string& name);

}  // namespace reseda::golden
