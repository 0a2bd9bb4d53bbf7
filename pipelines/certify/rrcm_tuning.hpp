#pragma once

#include <string>
#include <vector>

#include "modules/nets/network.hpp"
#include "pipelines/certify/certify_model.hpp"

namespace reseda::certify {

/// Which part of rRCM's classifier is trained, and how fast each of its layers.
struct RrcmTuningConfig {
  std::string part = "all";
  double layer_decay = 1.0;
  template <class V>
  void fields(V& v) {
    v("part", part, "all; head, the linear layer behind the encoder; or encoder, all but the head");
    v("layer_decay", layer_decay, "factor of the learning rate from each layer to the one before; 1 for none");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// @throws Error{kUsage} unless the model is rRCM's: told the noise, with the network rrcm_vit and its classes
void require_rrcm(const CertifyModelConfig& model);

/// Lets gradients reach the part of the network that is trained and nothing else; the projector of pre-training, which
/// the classifier passes by, is never reached.
/// Official: jiachenlei/rRCM, rrcm_tune.py, where the parts are the tasks finetune, linear and consistency.
void train_part(const nets::Network& network, const std::string& part);

/// The factor of the learning rate of each of the network's tensors (train::layer_rates), in their order.
std::vector<double> layer_rates(const nets::Network& network, double decay);

}  // namespace reseda::certify
