#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <utility>

#include "modules/nets/adm_encoder.hpp"
#include "modules/nets/network_module.hpp"

namespace reseda::nets {

/// Settings of ADM's classifier, by their official names.
struct AdmClassifierConfig {
  AdmConfig adm;
  std::string pool = "adaptive";

  template <class V>
  void fields(V& v) {
    adm.fields(v);
    v("pool", pool, "how the last map becomes one vector: attention (images of image_size alone) or adaptive (mean)");
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const;
};

/// Classifier of noisy images, which guides diffusion models: the encoder of ADM's U-Net, then a pool. It is
/// differentiable by the image.
/// Names: time_embed.*, input_blocks.*, middle_block.*, out.0.* (normalisation), then out.2.* (attention) or out.3.*
/// (a 1x1 convolution of the mean).
/// Source: Dhariwal & Nichol 2021, "Diffusion Models Beat GANs on Image Synthesis", Sec. 4. Official:
/// openai/guided-diffusion, guided_diffusion/unet.py, EncoderUNetModel.
class AdmClassifier : public NetworkModule {
 public:
  /// @throws Error{kUsage} as the config's validate()
  explicit AdmClassifier(const AdmClassifierConfig& config);

  /// @param x  [B,in_channels,H,W], H and W multiples of time_multiple(), with attention pooling of image_size
  /// @param y  not looked at
  /// @param t  [B] float32
  /// @return   logits, [B,out_channels] float32
  /// @throws Error{kUsage} where channels or size do not fit the config, Error{kInternal} on other shapes
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override;
  /// 2^(levels - 1)
  std::int64_t time_multiple() const override { return config_.adm.multiple(); }

  /// Lets a test see the parts by their names in the state dictionary.
  void set_probe(nn::Probe probe) { probe_ = std::move(probe); }

 private:
  AdmClassifierConfig config_;
  nn::Probe probe_;
  std::shared_ptr<AdmEncoder> encoder_;
  std::shared_ptr<nn::PlainGroupNorm> norm_;
  std::shared_ptr<nn::AdmAttentionPool> pool_;  // null where the pool is adaptive
  std::shared_ptr<nn::PlainConv2d> linear_;     // null where it is attention
};

}  // namespace reseda::nets
