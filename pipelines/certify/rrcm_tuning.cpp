#include "pipelines/certify/rrcm_tuning.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "modules/core/error.hpp"
#include "modules/train/layer_decay.hpp"

namespace reseda::certify {

void RrcmTuningConfig::validate() const {
  RESEDA_REQUIRE(part == "all" || part == "head" || part == "encoder", Errc::kUsage,
                 "tune.part must be all, head or encoder, got '", part, "'");
  RESEDA_REQUIRE(layer_decay > 0 && layer_decay <= 1, Errc::kUsage, "tune.layer_decay must be in (0, 1], got ",
                 layer_decay);
}

void require_rrcm(const CertifyModelConfig& model) {
  RESEDA_REQUIRE(model.has_process(), Errc::kUsage, "model.process is missing: rRCM's network is told the noise");
  const ConfigNode *name = model.network.find("name"), *classes = model.network.find("classes");
  RESEDA_REQUIRE(name != nullptr && name->scalar() == "rrcm_vit" && classes != nullptr &&
                     classes->scalar() == std::to_string(model.classes),
                 Errc::kUsage, "model.network must be rrcm_vit with classes: ", model.classes,
                 ", for model.process is of rRCM");
}

void train_part(const nets::Network& network, const std::string& part) {
  for (const auto& [name, tensor] : network.tensors()) {
    const bool head = name.starts_with("linear_head."), projector = name.find("projection_head.") != std::string::npos;
    if (projector || (part != "all" && head != (part == "head"))) at::Tensor(tensor).set_requires_grad(false);
  }
}

std::vector<double> layer_rates(const nets::Network& network, double decay) {
  const std::vector<StateDict::Entry> tensors = network.tensors();
  const auto depth = std::count_if(tensors.begin(), tensors.end(), [](const StateDict::Entry& entry) {
    return entry.first.ends_with(".norm1.weight");
  });
  std::vector<double> rates;
  for (const auto& [name, tensor] : tensors)
    rates.push_back(train::layer_rates({.decay = decay, .depth = depth}, name, tensor.dim()).lr_factor);
  return rates;
}

}  // namespace reseda::certify
