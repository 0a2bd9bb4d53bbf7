#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "modules/kernels/cpu/fused_conv.hpp"
#include "modules/nets/network.hpp"

namespace reseda::nets {

/// A convolution's weight [out,in,3,3] and bias [out].
struct SrConv {
  at::Tensor weight, bias;
};

/// The convolutions of an SrResnet at one time, its modulation in those that widen.
struct SrConvs {
  SrConv first, last, skip;
  std::vector<SrConv> widen, narrow;
};

/// An SrResnet at one time on small images on a CPU in float32, by fused convolutions (FusedConv): what it makes of an
/// image is the network's up to rounding, and depends neither on the batch that the image is in nor on the number of
/// threads.
class FusedSrResnet {
 public:
  /// Images of at most this many pixels are worth it: the maps of several stay in the cache.
  static constexpr std::int64_t kMostPixels = 32 * 32;

  /// Whether it can stand for these convolutions on such images, on this machine.
  static bool takes(const SrConvs& convs, const at::Tensor& x);
  /// Whether a network is an SrResnet on the CPU in float32 for which it stands on images of this size.
  static bool stands_for(const Network& network, std::int64_t height, std::int64_t width);
  /// @throws Error{kInternal} unless the channels are multiples of 16
  explicit FusedSrResnet(const SrConvs& convs);
  /// @param x  [B,C,H,W] float32 on the CPU   @return [B,out,H,W]
  at::Tensor forward(const at::Tensor& x) const;

 private:
  struct Workspace;
  void run(Workspace& space) const;

  std::optional<kernels::FusedConv> first_, last_, skip_;
  std::vector<kernels::FusedConv> widen_, narrow_;
  std::int64_t in_, channels_, wide_ = 0, out_;
};

}  // namespace reseda::nets
