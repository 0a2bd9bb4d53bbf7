#include "modules/inverse/operators/back_projection.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <bit>
#include <numbers>
#include <string_view>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::inverse {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr std::int64_t kShortestTransform = 64;

/// The window of a filter at frequencies 0 .. 1/2.
at::Tensor window(const std::string& filter, const at::Tensor& frequency) {
  if (filter == "shepp_logan") return at::sinc(frequency);
  if (filter == "cosine") return (kPi * frequency).cos();
  if (filter == "hamming") return 0.54 + 0.46 * (2 * kPi * frequency).cos();
  if (filter == "hann") return 0.5 + 0.5 * (2 * kPi * frequency).cos();
  return at::ones_like(frequency);
}

/// Samples of the ramp over `length` places that wrap around, [length] float64.
at::Tensor ramp(std::int64_t length, double arc_step) {
  const at::Tensor place = at::arange(length, at::kDouble), n = at::minimum(place, static_cast<double>(length) - place);
  at::Tensor kernel = at::where(n.remainder(2) == 1, -(kPi * n).square().reciprocal(), at::zeros_like(n));
  kernel[0] = 0.25;
  if (arc_step == 0.0) return kernel;
  const at::Tensor angle = n * arc_step;
  // Places further apart than the fan is wide are never used; the factor there must only be finite.
  const at::Tensor factor = (angle / angle.sin()).square();
  return kernel * at::where(at::logical_and(angle > 0, angle < kPi), factor, at::ones_like(factor));
}

}  // namespace

void require_filter(const char* key, const std::string& filter) {
  diffusion::require_choice(key, filter, {"ramp", "shepp_logan", "cosine", "hamming", "hann"});
}

at::Tensor filtered(const RayGeometry& rays, const at::Tensor& sinogram, const std::string& filter) {
  const auto twice = static_cast<std::uint64_t>(2 * rays.detectors());
  const std::int64_t length = std::max(kShortestTransform, static_cast<std::int64_t>(std::bit_ceil(twice)));
  const at::Tensor frequency = at::arange(length / 2 + 1, at::kDouble) / static_cast<double>(length);
  const at::Tensor response = at::real(at::fft_rfft(ramp(length, rays.arc_step()))) * window(filter, frequency);
  const at::Tensor weight = rays.fan_angles().cos() / rays.ray_distance();
  const at::Tensor weighted = sinogram * constant_like(weight, sinogram).unsqueeze(1);
  const at::Tensor spectrum = at::fft_rfft(weighted, length, 2) * constant_like(response, sinogram).unsqueeze(1);
  return at::fft_irfft(spectrum, length, 2).slice(2, 0, rays.detectors());
}

at::Tensor back_projection(const RayGeometry& rays, const at::Tensor& sinogram) {
  const ImageShape& shape = rays.shape();
  const at::Tensor rows = sinogram.reshape({1, -1, rays.detectors(), rays.views()});
  at::Tensor out = at::zeros({1, rows.size(1), shape.height, shape.width}, sinogram.options());
  for (std::int64_t view = 0; view < rays.views(); ++view) {
    const auto [element, weight] = rays.shadow(view);
    const at::Tensor down = (2 * element + 1) / static_cast<double>(rays.detectors()) - 1;
    const at::Tensor grid = constant_like(at::stack({at::zeros_like(down), down}, 2).unsqueeze(0), sinogram);
    const at::Tensor smeared = at::grid_sampler(rows.slice(3, view, view + 1), grid, /*bilinear*/ 0, /*zeros*/ 0,
                                                /*align_corners=*/false);
    out.addcmul_(smeared, constant_like(weight, sinogram), rays.view_weight());
  }
  if (const at::Tensor circle = rays.circle(); circle.defined()) out = out * constant_like(circle, sinogram);
  return out.reshape({sinogram.size(0), shape.channels, shape.height, shape.width});
}

}  // namespace reseda::inverse
