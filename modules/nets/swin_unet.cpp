#include "modules/nets/swin_unet.hpp"

#include <ATen/ATen.h>

#include "modules/nn/init.hpp"

namespace reseda::nets {

SwinUnet::SwinUnet(const SwinUnetConfig& config) : config_(config) {
  config_.validate();
  const SwinConfig& swin = config_.swin;
  trunk_ = std::make_shared<SwinTrunk>(swin, swin.lq_channels + (config_.cond_mask ? 1 : 0));
  for (const auto& part : trunk_->named_children()) register_module(part.key(), part.value());
  const auto out = register_module("out", std::make_shared<torch::nn::Module>("Sequential"));
  norm_out_ = out->register_module("0", nn::adm_norm(swin.width(0)));
  conv_out_ = out->register_module("2", std::make_shared<nn::PlainConv2d>(swin.width(0), swin.out_channels));
}

at::Tensor SwinUnet::forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) {
  const at::Tensor h = trunk_->forward(x, y, t, compute_type(), probe_).to(at::kFloat);
  return conv_out_->forward(nn::silu_consumed(norm_out_->forward(h))).contiguous();
}

const NetworkEntry& network_entry_swin_unet() {
  static const NetworkEntry entry =
      make_component<Network, SwinUnet, SwinUnetConfig>("swin_unet", "U-Net with Swin layers of ResShift and DifIISR");
  return entry;
}

}  // namespace reseda::nets
