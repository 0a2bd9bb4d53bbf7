#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "modules/nets/network_module.hpp"
#include "modules/nets/swin_trunk.hpp"

namespace reseda::nets {

/// Settings of UPSR's network, by their official names.
struct UpsrUnetConfig {
  SwinConfig swin = {.in_channels = 48, .lq_channels = 96};
  std::int64_t num_feat = 32;

  template <class V>
  void fields(V& v) {
    swin.fields(v);
    v("num_feat", num_feat, "channels of the head");
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const;
};

/// UPSR's network, which takes a large image unshuffled by 4 as its state and predicts that image: the trunk, then
///   h = lrelu_0.01(conv_before_upsample.0(h)),   twice  h = lrelu_0.2(conv_up(nearest x2(h))),
///   out = conv_last(lrelu_0.2(conv_hr(h))).
/// Names: those of the trunk, conv_before_upsample.0, conv_up1, conv_up2, conv_hr, conv_last.
/// Source: Zhang et al. 2025, "Uncertainty-guided Perturbation for Image Super-Resolution Diffusion Model". Official:
/// LabShuHangGU/UPSR, basicsr/archs/swin_unet_arch.py, UNetModelSwin.
class UpsrUnet : public NetworkModule {
 public:
  /// @throws Error{kUsage} as the config's validate()
  explicit UpsrUnet(const UpsrUnetConfig& config);

  /// @param x  [B,in_channels,H,W], the state unshuffled; H and W multiples of time_multiple()
  /// @param y  [B,lq_channels,H,W]: the auxiliary network's image, then the bicubic one, both unshuffled
  /// @param t  [B] float32
  /// @return   [B,out_channels,4H,4W] float32
  /// @throws Error{kUsage} where channels do not fit the config, Error{kInternal} on other shapes
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override;
  std::int64_t time_multiple() const override { return config_.swin.multiple(); }

  /// Lets a test see the parts by their names in the state dictionary.
  void set_probe(nn::Probe probe) { probe_ = std::move(probe); }

 private:
  UpsrUnetConfig config_;
  nn::Probe probe_;
  std::shared_ptr<SwinTrunk> trunk_;
  std::shared_ptr<nn::PlainConv2d> before_upsample_, up1_, up2_, hr_, last_;
};

}  // namespace reseda::nets
