#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "modules/core/state_dict.hpp"

namespace reseda::io {

/// Gives a running average (EMA) that a trainer saved as a list without names the names of what it averages: entry i is
/// that of parameter i in registration order, the order of a state dict without its buffers (running_mean, running_var,
/// num_batches_tracked). Every shape is compared. Where the list is shorter, parameters that fit `frozen` are passed
/// over, because older averages hold trained parameters alone.
/// @param named   the raw weights in the file's order
/// @param frozen  patterns of parameters that may not be in the list
/// @return        `named` with the averages in place of the values; buffers and frozen parameters stay
/// @throws Error{kCheckpoint} if neither count fits, or a shape differs
/// Source: sp-uhh/sgmse, sgmse/model.py (on_save_checkpoint); fadel/pytorch_ema, state_dict.
StateDict name_shadow_list(const std::vector<at::Tensor>& shadow, const StateDict& named,
                           const std::vector<std::string>& frozen);

}  // namespace reseda::io
