#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <string>

namespace reseda::medical {

/// Values that become black and white.
struct GrayWindow {
  double low = 0, high = 1;
  std::string text(const std::string& unit) const;  ///< e.g. "-160 to 240 HU"
};

/// A slice as a gray PNG, linear between the ends of the window and cut beyond them; NaN is black. Pixels that are not
/// square are repeated along their longer side, so that the picture has the patient's proportions.
/// @param slice    [H,W], real
/// @param spacing  between rows, between columns
std::string slice_png(const at::Tensor& slice, const GrayWindow& window, const std::array<double, 2>& spacing);

}  // namespace reseda::medical
