#include "modules/inverse/plug_and_play.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::inverse {

at::Tensor plug_and_play(const ForwardOperator& op, const at::Tensor& y, const at::Tensor& start,
                         const PluggedDenoiser& denoise, const PlugAndPlaySettings& settings,
                         const std::function<void(std::int64_t)>& on_step) {
  RESEDA_REQUIRE(settings.steps >= 1, Errc::kUsage, "plug and play needs >= 1 steps, got ", settings.steps);
  RESEDA_REQUIRE(settings.sigma_last > 0 && settings.sigma_first >= settings.sigma_last, Errc::kUsage,
                 "plug and play needs sigma_first >= sigma_last > 0, got ", settings.sigma_first, " and ",
                 settings.sigma_last);
  RESEDA_REQUIRE(settings.lambda > 0 && settings.sigma_y >= 0, Errc::kUsage,
                 "plug and play needs lambda > 0 and sigma_y >= 0, got ", settings.lambda, " and ", settings.sigma_y);
  at::Tensor x = start;
  for (std::int64_t k = 0; k < settings.steps; ++k) {
    const double share = settings.steps == 1 ? 1.0 : static_cast<double>(k) / static_cast<double>(settings.steps - 1);
    const double sigma = settings.sigma_first * std::pow(settings.sigma_last / settings.sigma_first, share);
    const double rho = settings.lambda * settings.sigma_y * settings.sigma_y / (sigma * sigma);
    x = least_squares(op, y, rho, denoise(x, sigma, k), settings.data).x;
    RESEDA_REQUIRE(x.abs().sum().isfinite().item<bool>(), Errc::kNumeric,
                   "plug and play: the image is not finite after step ", k + 1);
    if (on_step) on_step(k + 1);
  }
  return x;
}

}  // namespace reseda::inverse
