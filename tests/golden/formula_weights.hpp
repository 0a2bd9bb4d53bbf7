#pragma once

#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>

#include "modules/core/state_dict.hpp"

namespace reseda::golden {

/// Values of a stream by the formula that the json of a full-size network gives in the place of a file:
/// float32(((splitmix64((stream << 40) + i) >> 40) / 2^24 - 0.5) scale + shift), row by row.
at::Tensor formula_values(std::int64_t stream, at::IntArrayRef shape, double scale, double shift);

/// The weights that the json lists, without a prefix of their names.
StateDict formula_weights(const nlohmann::json& json, const std::string& prefix);

}  // namespace reseda::golden
