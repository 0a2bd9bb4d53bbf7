#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>

#include "modules/core/noise.hpp"

namespace reseda::restoration {

/// How a sharp frame becomes a small one: a share of the frames cleanly, by Pillow's antialiased bicubic filter, the
/// others as cameras do: optics (Gaussian blur), pixels (box mean), column and white noise of the sensor, 8 bits, JPEG.
struct LowResolutionConfig {
  std::int64_t scale = 1;
  double real_share = 0.0;
  double blur_low = 0.8, blur_high = 2.4;
  double noise_low = 1.0, noise_high = 6.0, column_share = 0.3;
  double rounded_share = 1.0;
  double jpeg_share = 1.0, quality_low = 60.0, quality_high = 95.0;
  double zoom_low = 1.0, zoom_high = 1.0;
  double gain_low = 1.0, gain_high = 1.0;
  template <class V>
  void fields(V& v) {
    v("scale", scale, "how many times smaller each side becomes; 1 leaves the size and all of the rest out");
    v("real_share", real_share, "share of the crops that are degraded as cameras do; the others by a bicubic filter");
    v("blur_low", blur_low, "smallest standard deviation of the optics' blur, pixels of the sharp frame");
    v("blur_high", blur_high, "largest");
    v("noise_low", noise_low, "smallest standard deviation of the sensor's noise, levels of 255");
    v("noise_high", noise_high, "largest");
    v("column_share", column_share, "standard deviation of an offset of each column as a share of that of the noise");
    v("rounded_share", rounded_share, "share of the crops that are rounded to 255 levels");
    v("jpeg_share", jpeg_share, "share of the rounded crops with a camera's degradation that go through JPEG");
    v("quality_low", quality_low, "lowest quality of JPEG");
    v("quality_high", quality_high, "highest");
    v("zoom_low", zoom_low, "crops are shown at up to this smaller size before they are degraded, as sharper frames");
    v("zoom_high", zoom_high, "and at up to this larger size, as softer frames; even on a logarithmic scale");
    v("gain_low", gain_low, "contrast around the mean is lowered to down to this share");
    v("gain_high", gain_high, "and raised up to this one; even on a logarithmic scale");
  }
  /// @throws Error{kUsage} naming the key
  void validate() const;
};

/// A crop as sharper or softer frames of other contrast would show it: zoom and gain drawn from their ranges.
/// @param x     [1,S,S] in [-1, 1], S at least size / zoom_low   @return  [1,size,size]
/// Draws: (item, "low resolution zoom", step).
at::Tensor vary(const at::Tensor& x, std::int64_t size, const LowResolutionConfig& config, NoiseSource& noise,
                std::string_view item, std::uint32_t step);

/// The small frame. @param x  [1,H,W] in [-1, 1], sides multiples of the scale
/// @return  [1,H/scale,W/scale]
/// Draws: (item, "low resolution", step), (item, "sensor noise", step), (item, "column noise", step).
/// Source: the camera's chain is that of the evaluation of this suite (docs/infrared-evaluation.md).
at::Tensor shrink(const at::Tensor& x, const LowResolutionConfig& config, NoiseSource& noise, std::string_view item,
                  std::uint32_t step);

/// The frame that super-resolution starts from: bicubic (a = -0.75, half-pixel centres), not clamped.
/// @param low  [...,h,w], 3 or 4 axes   @return  [...,scale h,scale w]
at::Tensor enlarge(const at::Tensor& low, std::int64_t scale);

/// What JPEG makes of a grey image, blocks counted from (row, column) offsets 0 .. 7 before its corner.
/// @param levels  [H,W], 0 .. 255   @param quality  1 .. 100 as libjpeg counts   @return  whole levels, 0 .. 255
/// Source: ITU-T T.81, Annex K.1 (luminance table) and A.3.3 (transform).
at::Tensor jpeg_levels(const at::Tensor& levels, double quality, std::int64_t row, std::int64_t column);

}  // namespace reseda::restoration
