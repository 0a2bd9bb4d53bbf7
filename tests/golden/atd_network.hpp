#pragma once

#include <memory>
#include <nlohmann/json.hpp>

#include "modules/core/state_dict.hpp"
#include "modules/nets/atd.hpp"

namespace reseda::golden {

/// UPSR's auxiliary network of official settings, with weights.
std::shared_ptr<nets::Atd> make_atd(const nlohmann::json& settings, const StateDict& weights);

}  // namespace reseda::golden
