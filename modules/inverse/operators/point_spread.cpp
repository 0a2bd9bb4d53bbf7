#include "modules/inverse/operators/point_spread.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::inverse {
namespace {

constexpr std::int64_t kLargestSize = 1023;
constexpr double kStepsPerPixel = 32.0;

at::Tensor motion_line(std::int64_t size, double length, double radians) {
  const at::Tensor kernel = at::zeros({size, size}, at::kDouble);
  auto* values = kernel.data_ptr<double>();
  const auto steps = static_cast<std::int64_t>(std::ceil(length * kStepsPerPixel));
  const auto centre = static_cast<double>(size / 2);
  const auto add = [&](std::int64_t i, std::int64_t j, double weight) {
    // Rounding may put a point of no weight one pixel outside.
    if (i >= 0 && i < size && j >= 0 && j < size) values[i * size + j] += weight;
  };
  for (std::int64_t step = 0; step <= steps; ++step) {
    const double along = steps == 0 ? 0.0 : length * (static_cast<double>(step) / static_cast<double>(steps) - 0.5);
    const double row = centre + along * std::sin(radians), column = centre + along * std::cos(radians);
    const auto i = static_cast<std::int64_t>(std::floor(row)), j = static_cast<std::int64_t>(std::floor(column));
    const double down = row - static_cast<double>(i), right = column - static_cast<double>(j);
    add(i, j, (1 - down) * (1 - right));
    add(i, j + 1, (1 - down) * right);
    add(i + 1, j, down * (1 - right));
    add(i + 1, j + 1, down * right);
  }
  return kernel / kernel.sum();
}

at::Tensor gaussian(std::int64_t size, double sigma, double across, double radians) {
  const at::Tensor axis = at::arange(size, at::kDouble) - static_cast<double>(size / 2);
  const at::Tensor i = axis.unsqueeze(1), j = axis.unsqueeze(0);
  const at::Tensor p = j * std::cos(radians) + i * std::sin(radians), q = i * std::cos(radians) - j * std::sin(radians);
  const at::Tensor kernel = (-0.5 * ((p / sigma).square() + (q / across).square())).exp();
  return kernel / kernel.sum();
}

}  // namespace

void PointSpreadConfig::validate() const {
  diffusion::require_choice("operator.point_spread.kernel", kernel, {"uniform", "gaussian", "anisotropic", "motion"});
  RESEDA_REQUIRE(size >= 1 && size <= kLargestSize && size % 2 == 1, Errc::kUsage,
                 "operator.point_spread.size must be odd and 1 .. ", kLargestSize, ", got ", size);
  RESEDA_REQUIRE(std::isfinite(sigma) && std::isfinite(across) && sigma > 0 && across > 0, Errc::kUsage,
                 "operator.point_spread.sigma and across must be > 0, got ", sigma, " and ", across);
  RESEDA_REQUIRE(kernel != "motion" || (length >= 0 && length <= static_cast<double>(size - 1)), Errc::kUsage,
                 "operator.point_spread.length must be in [0, size - 1], got ", length, " with size ", size);
  RESEDA_REQUIRE(std::isfinite(angle), Errc::kUsage, "operator.point_spread.angle must be finite, got ", angle);
}

at::Tensor point_spread(const PointSpreadConfig& config) {
  config.validate();
  const double radians = config.angle * std::numbers::pi / 180.0;
  if (config.kernel == "gaussian") return gaussian(config.size, config.sigma, config.sigma, 0.0);
  if (config.kernel == "anisotropic") return gaussian(config.size, config.sigma, config.across, radians);
  if (config.kernel == "motion") return motion_line(config.size, config.length, radians);
  return at::full({config.size, config.size}, 1.0 / static_cast<double>(config.size * config.size), at::kDouble);
}

}  // namespace reseda::inverse
