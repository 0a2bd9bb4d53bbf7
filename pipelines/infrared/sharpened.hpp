#pragma once

#include <memory>

#include "pipelines/infrared/upscaler.hpp"

namespace reseda::infrared {

/// How much of the mean gradient of a scene the picture of least error is expected to keep, from what it added to
/// interpolation and what the frame itself loses when it is halved and enlarged again:
///   S = 0.49 (u / v)^-0.666, u = rms(high - U(low)), v = rms(low - U(D(low))), U and D Pillow's bicubic,
/// within 0.5 and 1; 1 where the frame has no detail at all.
/// Source: a fit by us to 58 frames of HIT-UAV at 0.6 to 2.6 times their size and the guide of models/infrared-x4; its
/// error there is 14 % (root mean square).
double kept_sharpness(const at::Tensor& high, const at::Tensor& low);

/// Adds a to-be-found share of what a Gaussian of 0.8 pixels takes from a picture,
///   high + a (high - G high), 0 <= a <= 2.5,
/// the least a for which the mean gradient is `factor` times that of `high` (by eight bisections).
/// @param high  [1,1,H,W] float32   @param factor  > 0   @return same shape; `high` itself where factor <= 1
at::Tensor sharpened(const at::Tensor& high, double factor);

/// Another upscaler's picture of least error made as sharp as the scene is expected to be. Its error grows.
class Sharpened final : public Upscaler {
 public:
  /// @param sharpness  mean gradient that is aimed at, as part of the scene's as kept_sharpness() estimates it
  Sharpened(std::unique_ptr<Upscaler> inner, double sharpness);
  std::int64_t scale() const override { return inner_->scale(); }
  bool draws_noise() const override { return inner_->draws_noise(); }
  bool adds_detail() const override { return true; }
  at::Tensor run(const at::Tensor& low, const UpscaleContext& context) const override;
  std::int64_t working_bytes(std::int64_t height, std::int64_t width) const override;

 private:
  std::unique_ptr<Upscaler> inner_;
  double sharpness_;
};

}  // namespace reseda::infrared
