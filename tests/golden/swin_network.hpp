#pragma once

#include <memory>

#include "modules/nets/network.hpp"
#include "modules/nets/vq_f4.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {

/// Official buffers that the networks here make anew.
LoadRules swin_buffers();

/// A network of ResShift, DifIISR or UPSR that a json describes by the arguments of its official constructor, with
/// weights. `num_feat` tells UPSR's; without `lq_size`, as in DifIISR, `in_channels` counts the image in low resolution
/// too.
/// @throws Error{kUsage} on arguments the network rejects, Error{kCheckpoint} unless names and shapes match
std::shared_ptr<nets::Network> make_swin(const nlohmann::json& unet, const StateDict& weights);

/// The autoencoder that a json describes by the arguments of its official constructor, with weights.
std::shared_ptr<nets::VqF4> make_vq(const nlohmann::json& vq, const StateDict& weights);

}  // namespace reseda::golden
