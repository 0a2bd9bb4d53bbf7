#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "modules/nets/adm_encoder.hpp"
#include "modules/nets/network_module.hpp"

namespace reseda::nets {

/// Settings of ADM's U-Net, by their official names where there is one.
struct AdmUnetConfig {
  AdmConfig adm;
  std::int64_t num_classes = 0;
  std::int64_t num_heads_upsample = -1;
  std::int64_t condition_channels = 0;

  template <class V>
  void fields(V& v) {
    adm.fields(v);
    v("num_classes", num_classes, "classes that it is conditioned on; 0 for none");
    v("num_heads_upsample", num_heads_upsample,
      "attention heads on the way up where num_head_channels is -1; -1 takes "
      "num_heads");
    v("condition_channels", condition_channels, "channels of a smaller image that it enlarges; 0 ignores it");
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const;
};

/// The U-Net of guided diffusion (ADM) and of improved diffusion: the encoder, then as many stages on the way up, each
/// a residual block on [h, skip] with or without attention, the last of a level with a doubling. The predictions lie
/// along the channels: noise (or what else the target is), then where out_channels is twice in_channels the share v of
/// a learned variance.
/// With condition_channels it enlarges a smaller image: y, brought to the size of x by bilinear interpolation, stands
/// behind x.
/// Source: Dhariwal & Nichol 2021, "Diffusion Models Beat GANs on Image Synthesis"; Nichol & Dhariwal 2021, "Improved
/// Denoising Diffusion Probabilistic Models". Official: openai/guided-diffusion, guided_diffusion/unet.py, UNetModel
/// and SuperResModel. Quirk: its dropout in training is left out.
class AdmUnet : public NetworkModule {
 public:
  /// @throws Error{kUsage} as the config's validate()
  explicit AdmUnet(const AdmUnetConfig& config);

  /// @param x  [B,in_channels,H,W], H and W multiples of time_multiple(), not necessarily image_size
  /// @param y  [B,condition_channels,h,w] of any size; not looked at where these are 0
  /// @param t  [B] float32
  /// @return   [B,out_channels,H,W] float32
  /// @throws Error{kUsage} where channels do not fit the config or it has classes, Error{kInternal} on other shapes
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override;
  at::Tensor forward_labelled(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t,
                              const at::Tensor& labels) override;
  /// 2 with a learned variance.
  std::int64_t heads() const override { return config_.adm.out_channels == 2 * config_.adm.in_channels ? 2 : 1; }
  /// 2^(levels - 1)
  std::int64_t time_multiple() const override { return config_.adm.multiple(); }

  /// Lets a test see the parts by their names in the state dictionary.
  void set_probe(nn::Probe probe) { probe_ = std::move(probe); }

 private:
  void build_up();
  at::Tensor joined(const at::Tensor& x, const at::Tensor& y) const;
  at::Tensor embed(const at::Tensor& t, const at::Tensor& labels) const;
  at::Tensor seen(const std::string& name, at::Tensor value) const;

  AdmUnetConfig config_;
  nn::Probe probe_;
  std::shared_ptr<AdmEncoder> encoder_;
  at::Tensor label_embedding_;                        // [num_classes,4 model_channels]; undefined without classes
  std::vector<std::shared_ptr<AdmStage>> up_stages_;  // output_blocks.0, ...
  std::shared_ptr<nn::PlainGroupNorm> norm_out_;
  std::shared_ptr<nn::PlainConv2d> conv_out_;
};

}  // namespace reseda::nets
