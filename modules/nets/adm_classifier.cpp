#include "modules/nets/adm_classifier.hpp"

#include <ATen/ATen.h>

#include <vector>

#include "modules/core/error.hpp"
#include "modules/nets/image_input.hpp"
#include "modules/nn/init.hpp"

namespace reseda::nets {

void AdmClassifierConfig::validate() const {
  adm.validate();
  RESEDA_REQUIRE(pool == "attention" || pool == "adaptive", Errc::kUsage,
                 "network.pool must be attention or adaptive, got '", pool, "': no released model uses another");
  RESEDA_REQUIRE(pool != "attention" || adm.image_size % adm.multiple() == 0, Errc::kUsage,
                 "network.image_size must be a multiple of ", adm.multiple(), " for attention pooling, got ",
                 adm.image_size);
}

AdmClassifier::AdmClassifier(const AdmClassifierConfig& config) : config_(config) {
  config_.validate();
  const AdmConfig& adm = config_.adm;
  encoder_ = std::make_shared<AdmEncoder>(adm, adm.in_channels);
  for (const auto& child : encoder_->named_children()) register_module(child.key(), child.value());
  const std::int64_t width = encoder_->widths().back();
  const auto out = register_module("out", std::make_shared<torch::nn::Module>("Sequential"));
  norm_ = out->register_module("0", nn::adm_norm(width));
  if (config_.pool == "attention") {
    pool_ = out->register_module(
        "2", std::make_shared<nn::AdmAttentionPool>(adm.image_size / adm.multiple(), width,
                                                    adm.heads(width, adm.num_heads), adm.out_channels));
    return;
  }
  linear_ = out->register_module("3", std::make_shared<nn::PlainConv2d>(width, adm.out_channels, nn::kPointwise));
  nn::set_to_zero(*linear_);
}

at::Tensor AdmClassifier::forward(const at::Tensor& x, const at::Tensor& /*y*/, const at::Tensor& t) {
  const ImageInput takes = {
      .state_channels = config_.adm.in_channels, .condition_channels = 0, .multiple = time_multiple()};
  const at::Tensor input = torso_input(config_.adm, compute_type(), image_input(takes, x, {}));
  require_times(t, x);
  std::vector<at::Tensor> skips;
  const at::Tensor h = encoder_->forward(input, at::silu(encoder_->embed(t)), skips, probe_).to(at::kFloat);
  const at::Tensor active = nn::silu_consumed(norm_->forward(h));
  if (pool_) return pool_->forward(active);
  return linear_->of_tokens(active.mean({2, 3}));
}

const NetworkEntry& network_entry_adm_classifier() {
  static const NetworkEntry entry = make_component<Network, AdmClassifier, AdmClassifierConfig>(
      "adm_classifier", "classifier of noisy images (ADM), which guides diffusion models");
  return entry;
}

}  // namespace reseda::nets
