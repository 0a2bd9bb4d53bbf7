#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "modules/nets/network.hpp"
#include "modules/nn/residual_block.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {

/// A network of RDDM or Resfusion that a json describes by the official class (`class` Unet or UnetRes; `net`
/// RDDM_Unet, DDIM_Unet or DiT) and constructor (`ctor`).
struct ResidualNetwork {
  std::shared_ptr<nets::Network> network;
  std::int64_t channels = 3;            ///< of the state
  std::int64_t condition_channels = 0;  ///< of y

  /// State and condition of an input that is joined as the official networks take it; the condition is undefined where
  /// the network has none.
  std::pair<at::Tensor, at::Tensor> split(const at::Tensor& joined) const;
  /// The settings that official code changes after construction: {test_res_or_noise} of a network with two nets,
  /// {objective} of one with one net, which decide what is computed from which time.
  void set(const nlohmann::json& settings) const;
  /// Lets the probe see the parts by their names in the state dictionary.
  void set_probe(const nn::Probe& probe) const;
};

/// @throws Error{kInput} naming a constructor argument that is not known, Error{kUsage} on values the network rejects
ResidualNetwork make_residual_network(const nlohmann::json& config);
/// The same with weights. @throws Error{kCheckpoint} unless names and shapes match
ResidualNetwork make_residual_network(const nlohmann::json& config, const StateDict& weights);

}  // namespace reseda::golden
