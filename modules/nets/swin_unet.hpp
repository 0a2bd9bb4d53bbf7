#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "modules/nets/network_module.hpp"
#include "modules/nets/swin_trunk.hpp"

namespace reseda::nets {

/// Settings of the network of ResShift and DifIISR, by their official names.
struct SwinUnetConfig {
  SwinConfig swin;
  bool cond_mask = false;

  template <class V>
  void fields(V& v) {
    swin.fields(v);
    v("cond_mask", cond_mask, "whether a mask stands behind the image in low resolution, as one more channel");
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const { swin.validate(); }
};

/// The network of ResShift and DifIISR: the trunk, then  out.2(silu(out.0(h))).
/// In DifIISR's code `in_channels` counts state and image in low resolution, here and in ResShift's the state alone.
/// Source and official files: as SwinTrunk.
class SwinUnet : public NetworkModule {
 public:
  /// @throws Error{kUsage} as the config's validate()
  explicit SwinUnet(const SwinUnetConfig& config);

  /// @param x  [B,in_channels,H,W], H and W multiples of time_multiple(), not necessarily image_size
  /// @param y  image in low resolution (and mask), [B,lq_channels (+ 1),H,W]; larger by lq_size / image_size
  /// @param t  [B] float32
  /// @return   [B,out_channels,H,W] float32
  /// @throws Error{kUsage} where channels do not fit the config, Error{kInternal} on other shapes
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override;
  /// Such that every map that a Swin layer sees is made of whole windows: window_size 2^(levels - 1) for those
  /// published.
  std::int64_t time_multiple() const override { return config_.swin.multiple(); }

  /// Lets a test see the parts by their names in the state dictionary.
  void set_probe(nn::Probe probe) { probe_ = std::move(probe); }

 private:
  SwinUnetConfig config_;
  nn::Probe probe_;
  std::shared_ptr<SwinTrunk> trunk_;
  std::shared_ptr<nn::PlainGroupNorm> norm_out_;
  std::shared_ptr<nn::PlainConv2d> conv_out_;
};

}  // namespace reseda::nets
