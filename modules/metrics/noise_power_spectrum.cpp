#include "modules/metrics/noise_power_spectrum.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "modules/core/error.hpp"

namespace reseda::metrics {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Patches of a slice. @return [patches, N, N] float64
at::Tensor patches_of(const at::Tensor& slice, std::int64_t size) {
  return slice.to(at::kDouble).unfold(0, size, size / 2).unfold(1, size, size / 2).reshape({-1, size, size});
}

/// Patches without their mean and slope along both axes.
at::Tensor without_plane(const at::Tensor& patches) {
  const std::int64_t size = patches.size(-1);
  const at::Tensor axis = at::linspace(-1.0, 1.0, size, at::kDouble), y = axis.unsqueeze(1);
  const double energy = axis.square().sum().item<double>() * static_cast<double>(size);
  const auto slope = [&](const at::Tensor& along) { return (patches * along).sum({1, 2}, true) / energy * along; };
  return patches - patches.mean({1, 2}, true) - slope(y) - slope(axis);
}

/// Sum over the flattest patches of |DFT|^2, and their count.
struct PowerSum {
  at::Tensor power;
  std::int64_t patches = 0;
};

PowerSum flat_power(const at::Tensor& residual, const at::Tensor& reference, const at::Tensor& mask,
                    std::int64_t size) {
  PowerSum sum{.power = at::zeros({size, size}, at::kDouble)};
  for (std::int64_t k = 0; k < residual.size(0); ++k) {
    const at::Tensor inside = patches_of(mask[k], size).mean({1, 2}) >= 0.95;
    if (!inside.any().item<bool>()) continue;
    const at::Tensor rough = patches_of(reference[k], size).index({inside}).var({1, 2}, /*unbiased=*/false);
    const std::int64_t kept = (rough.numel() + 3) / 4;
    const at::Tensor flat = std::get<1>(rough.sort()).slice(0, 0, kept);
    const at::Tensor patches = without_plane(patches_of(residual[k], size).index({inside}).index({flat}));
    sum.power += at::fft_fft2(patches).abs().square().sum(0);
    sum.patches += kept;
  }
  return sum;
}

}  // namespace

NoisePowerSpectrum noise_power_spectrum(const at::Tensor& residual, const at::Tensor& reference, const at::Tensor& mask,
                                        const std::array<double, 2>& spacing) {
  RESEDA_REQUIRE(residual.dim() == 3 && residual.sizes() == reference.sizes() && residual.sizes() == mask.sizes(),
                 Errc::kInput, "noise_power_spectrum: expected residual, reference and mask [D,H,W], got ",
                 residual.sizes(), ", ", reference.sizes(), " and ", mask.sizes());
  RESEDA_REQUIRE(spacing[0] > 0 && spacing[1] > 0, Errc::kInput, "noise_power_spectrum: spacing must be > 0, got ",
                 spacing[0], " and ", spacing[1]);
  const std::int64_t side = std::min(residual.size(1), residual.size(2)), size = side >= 32 ? 32 : side / 4 * 2;
  RESEDA_REQUIRE(size >= 8, Errc::kInput, "noise_power_spectrum: slices of ", residual.sizes(),
                 " are smaller than 16 x 16 pixels");
  const PowerSum sum = flat_power(residual.detach(), reference.detach(), mask, size);
  NoisePowerSpectrum out;
  out.patches = sum.patches;
  out.sigma = out.mean_frequency = kNan;
  if (sum.patches == 0) return out;

  const auto points = static_cast<double>(size * size);
  const at::Tensor mean = sum.power / static_cast<double>(sum.patches);
  out.sigma = std::sqrt(mean.sum().item<double>()) / points;
  const at::Tensor u = at::fft_fftfreq(size, spacing[0], at::kDouble),
                   v = at::fft_fftfreq(size, spacing[1], at::kDouble);
  const at::Tensor f = at::hypot(u.unsqueeze(1), v), total = mean.sum();
  out.mean_frequency = ((f * mean).sum() / total).item<double>();
  const double step = 1.0 / (static_cast<double>(size) * std::min(spacing[0], spacing[1]));
  const double nyquist = 0.5 / std::max(spacing[0], spacing[1]);
  const at::Tensor bin = (f / step).round();
  for (std::int64_t k = 1; static_cast<double>(k) * step <= nyquist * (1 + 1e-9); ++k) {
    const at::Tensor inside = mean.index({bin == k});
    if (inside.numel() == 0) continue;  // rows so far apart that no frequency falls here
    out.frequency.push_back(static_cast<double>(k) * step);
    out.power.push_back(inside.mean().item<double>() * spacing[0] * spacing[1] / points);
  }
  return out;
}

}  // namespace reseda::metrics
