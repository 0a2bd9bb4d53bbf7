#pragma once

#include <ATen/core/Tensor.h>

#include "modules/core/noise.hpp"

namespace reseda::certify {

/// How likely a strong view is blurred and solarized.
struct ViewChances {
  double blur, solarize;
};

/// Those of the two views that rRCM contrasts.
inline constexpr ViewChances kFirstView = {.blur = 1.0, .solarize = 0.0}, kSecondView = {.blur = 0.1, .solarize = 0.2};

/// A strong view of an image: a part of it of 8 % to 100 % of its area, resized to the whole; with chance 0.8 other
/// colours (brightness and contrast by 0.6 to 1.4, saturation by 0.8 to 1.2, hues by up to a tenth of the circle); with
/// chance 0.2 grey; blurred by sigma 0.1 to 2 pixels and solarized by the chances; with `flip` mirrored half of the
/// time. Saturation, hue and grey are of images of three channels alone.
/// @param image  [C,H,W] in [0, 1]   @return the same shape and range
/// Source: Chen, Xie & He 2021, "An Empirical Study of Training Self-Supervised Vision Transformers"; so
/// jiachenlei/rRCM.
at::Tensor strong_view(const at::Tensor& image, const ViewChances& chances, bool flip, Chooser& choose);

/// A rectangle of 8 % to 100 % of the area and sides of 3 : 4 to 4 : 3, resized to the size of the image; the whole
/// image where ten draws do not fit into it. @param image  [C,H,W]
at::Tensor resized_crop(const at::Tensor& image, Chooser& choose);
/// Every colour turned about the grey axis, by which red becomes green at a third of a turn. @param image  [3,H,W]
at::Tensor hue_turned(const at::Tensor& image, double turns);
/// A Gaussian of up to three standard deviations; beyond an edge it repeats. @param image  [C,H,W]
at::Tensor blurred(const at::Tensor& image, double sigma);
/// 1 - x where x >= 1/2.
at::Tensor solarized(const at::Tensor& image);

}  // namespace reseda::certify
