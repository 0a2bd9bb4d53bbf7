#include "modules/metrics/luma.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::metrics {

at::Tensor video_luma(const at::Tensor& rgb, LumaRounding rounding) {
  RESEDA_REQUIRE(rgb.dim() >= 3 && rgb.size(-3) == 3 && !rgb.is_complex(), Errc::kInput,
                 "video_luma: expected colours [.., 3, H, W], got ", rgb.sizes());
  const at::Tensor colours = rgb.detach().to(at::TensorOptions(at::kDouble).device(at::kCPU));
  const auto channel = [&](std::int64_t index) { return colours.select(-3, index); };
  const at::Tensor luma = 16.0 + (65.481 * channel(0) + 128.553 * channel(1) + 24.966 * channel(2)) / 255.0;
  return rounding == LumaRounding::kNearest ? luma.round() : luma;
}

}  // namespace reseda::metrics
