#include "modules/nets/upsr_unet.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"
#include "modules/nn/ddpm_block.hpp"

namespace reseda::nets {
namespace {

at::Tensor leaky_consumed(at::Tensor x, double slope) {
  return at::GradMode::is_enabled() ? at::leaky_relu(x, slope) : at::leaky_relu_(x, slope);
}

}  // namespace

void UpsrUnetConfig::validate() const {
  swin.validate();
  RESEDA_REQUIRE(num_feat >= 1 && num_feat <= 4096, Errc::kUsage, "network.num_feat must be 1 to 4096, got ", num_feat);
}

UpsrUnet::UpsrUnet(const UpsrUnetConfig& config) : config_(config) {
  config_.validate();
  const std::int64_t width = config_.num_feat;
  trunk_ = std::make_shared<SwinTrunk>(config_.swin, config_.swin.lq_channels);
  for (const auto& part : trunk_->named_children()) register_module(part.key(), part.value());
  before_upsample_ = register_module("conv_before_upsample", std::make_shared<torch::nn::Module>("Sequential"))
                         ->register_module("0", std::make_shared<nn::PlainConv2d>(config_.swin.width(0), width));
  const auto convolution = [&] { return std::make_shared<nn::PlainConv2d>(width, width); };
  up1_ = register_module("conv_up1", convolution());
  up2_ = register_module("conv_up2", convolution());
  hr_ = register_module("conv_hr", convolution());
  last_ = register_module("conv_last", std::make_shared<nn::PlainConv2d>(width, config_.swin.out_channels));
}

at::Tensor UpsrUnet::forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) {
  at::Tensor h = trunk_->forward(x, y, t, compute_type(), probe_);
  h = leaky_consumed(before_upsample_->forward(h), 0.01);
  if (probe_) probe_("conv_before_upsample", h);
  for (const auto& up : {up1_, up2_}) h = leaky_consumed(up->forward(nn::repeat_pixels(h)), 0.2);
  h = leaky_consumed(hr_->forward(h), 0.2);
  return last_->forward(h.to(at::kFloat)).contiguous();
}

const NetworkEntry& network_entry_upsr_unet() {
  static const NetworkEntry entry = make_component<Network, UpsrUnet, UpsrUnetConfig>(
      "upsr_unet", "U-Net with Swin layers of UPSR, which enlarges four times");
  return entry;
}

}  // namespace reseda::nets
