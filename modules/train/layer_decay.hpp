#pragma once

#include <cstdint>
#include <string>

namespace reseda::train {

struct LayerDecayConfig {
  double decay = 0.65;
  std::int64_t depth = 12;
  double weight_decay = 0;
  template <class V>
  void fields(V& v) {
    v("decay", decay, "factor of the learning rate from each layer to the one before");
    v("depth", depth, "blocks of the transformer");
    v("weight_decay", weight_decay, "decoupled weight decay of matrices; gains and biases have none");
  }
};

/// How one parameter of a vision transformer is fine-tuned.
struct ParameterRates {
  double lr_factor, weight_decay;
};

/// Lower layers learn more slowly: with layer 0 for what comes before the blocks (class token, places, patches), i + 1
/// for block i and depth + 1 for the rest, the factor is decay^(depth + 1 - layer).
/// @param name  as in the state dictionary, with `base_model.` or without   @param dimensions  of the tensor
/// Source: Bao et al. 2022, "BEiT". Official: jiachenlei/rRCM, rrcm/utils.py (param_groups_lrd). Quirk: official code
/// means to spare class token and places the weight decay but does not, for it knows them without `base_model.`.
ParameterRates layer_rates(const LayerDecayConfig& config, const std::string& name, std::int64_t dimensions);

}  // namespace reseda::train
