#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "modules/nets/network_module.hpp"
#include "modules/nn/plain_layers.hpp"

namespace reseda::nets {

struct SrResnetConfig {
  std::int64_t in_channels = 16;
  std::int64_t condition_channels = 16;
  std::int64_t out_channels = 16;
  std::int64_t channels = 32;
  std::int64_t expansion = 4;
  std::int64_t blocks = 12;
  std::int64_t time_channels = 64;

  template <class V>
  void fields(V& v) {
    v("in_channels", in_channels, "channels of the state");
    v("condition_channels", condition_channels, "channels of what conditions it; 0 for none");
    v("out_channels", out_channels, "channels of the prediction");
    v("channels", channels, "channels between the blocks");
    v("expansion", expansion, "channels inside a block as a multiple of those between");
    v("blocks", blocks, "residual blocks");
    v("time_channels", time_channels, "size of the embedding of the time");
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const;
};

/// A residual network of one resolution, for super-resolution on the grid of the small image:
///   h = first([x, y]),   h += second(relu(widen(h) (1 + s(t)) + b(t)))  for each block,   out = last(h) + skip([x, y])
/// with 3x3 convolutions, `expansion` times as many channels inside a block as between blocks, and [s, b] a linear map
/// of the embedded time. It has no normalisation and no pooling, so that a pixel depends on 2 blocks + 2 pixels around
/// it and on nothing else: tiles that overlap by that much are the whole frame, exactly.
/// Source: the blocks are those of Yu et al. 2018, "Wide Activation for Efficient and Accurate Image
/// Super-Resolution" (WDSR-A), without weight normalisation; the time enters as in guided diffusion.
class SrResnet final : public NetworkModule {
 public:
  /// @throws Error{kUsage} as the config's validate()
  explicit SrResnet(const SrResnetConfig& config);
  /// @param x  [B,in_channels,H,W]   @param y  [B,condition_channels,H,W]   @param t  [B] float32
  /// @return   [B,out_channels,H,W] float32
  /// @throws Error{kUsage} where channels do not fit the config
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override;
  const SrResnetConfig& config() const { return config_; }

 private:
  /// forward() without gradients at one time for all items, by the embedded time [time_channels]: the modulation goes
  /// into the weights, (w * h + b) (1 + s) + m = (w (1 + s)) * h + (b (1 + s) + m). Small images go by FusedSrResnet;
  /// of others the channels lie last in memory.
  at::Tensor at_one_time(const at::Tensor& seen, const at::Tensor& time) const;
  /// h += narrow(relu(weight * h + bias)), in place and by strips of rows, each of which sees two rows of its
  /// neighbours: the memory of a block does not grow with the image.
  static void add_block(at::Tensor& h, const at::Tensor& weight, const at::Tensor& bias, const nn::PlainConv2d& narrow);

  SrResnetConfig config_;
  std::shared_ptr<nn::PlainConv2d> first_, last_, skip_;
  std::shared_ptr<nn::PlainLinear> embed_;
  std::vector<std::shared_ptr<nn::PlainConv2d>> widen_, narrow_;
  std::vector<std::shared_ptr<nn::PlainLinear>> modulate_;
};

}  // namespace reseda::nets
