#include "pipelines/restoration/degradation.hpp"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <optional>

#include "modules/core/error.hpp"

namespace reseda::restoration {

void DegradationConfig::validate() const {
  RESEDA_REQUIRE(blur_low >= 0 && blur_high >= blur_low && blur_high <= 20, Errc::kUsage,
                 "degradation: 0 <= blur_low <= blur_high <= 20 pixels, got ", blur_low, " and ", blur_high);
  RESEDA_REQUIRE(noise_low >= 0 && noise_high >= noise_low && noise_high <= 10, Errc::kUsage,
                 "degradation: 0 <= noise_low <= noise_high <= 10, got ", noise_low, " and ", noise_high);
}

at::Tensor gaussian_blur(const at::Tensor& x, double sigma) {
  const auto radius = static_cast<std::int64_t>(std::ceil(3.0 * sigma));
  if (radius == 0) return x;
  const std::int64_t channels = x.size(0);
  const at::Tensor offset = at::arange(-radius, radius + 1, at::kDouble);
  at::Tensor kernel = at::exp(-0.5 * offset.square() / (sigma * sigma));
  kernel = (kernel / kernel.sum()).to(x.scalar_type()).expand({channels, 1, -1});
  const std::array<std::int64_t, 2> one{1, 1}, zero{0, 0};
  const at::Tensor padded = at::reflection_pad2d(x.unsqueeze(0), {radius, radius, radius, radius});
  const at::Tensor columns = at::conv2d(padded, kernel.unsqueeze(3), std::nullopt, one, zero, one, channels);
  return at::conv2d(columns, kernel.unsqueeze(2), std::nullopt, one, zero, one, channels).squeeze(0);
}

at::Tensor degrade(const at::Tensor& x, const DegradationConfig& config, NoiseSource& noise, std::string_view item,
                   std::uint32_t step) {
  const at::Tensor strength = noise.uniform({item, "degradation", step}, {2});
  const auto between = [&](std::int64_t i, double low, double high) {
    return low + (high - low) * strength[i].item<double>();
  };
  const at::Tensor blurred = gaussian_blur(x, between(0, config.blur_low, config.blur_high));
  const double level = 2.0 * between(1, config.noise_low, config.noise_high);
  return blurred + level * noise.normal({item, "measurement noise", step}, x.sizes());
}

}  // namespace reseda::restoration
