#pragma once

#include <memory>
#include <string>

#include "modules/nets/network.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {

/// A network of guided diffusion that a json describes by the arguments of its official constructor, with weights.
/// @param name  adm_unet or adm_classifier   @param torso  f32, or f16 as after convert_to_fp16()
/// @throws Error{kUsage} on arguments the network rejects, Error{kCheckpoint} unless names and shapes match
std::shared_ptr<nets::Network> make_adm(const std::string& name, const nlohmann::json& model, const StateDict& weights,
                                        const std::string& torso = "f32");

}  // namespace reseda::golden
