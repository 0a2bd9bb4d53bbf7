#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "modules/inverse/conjugate_gradient.hpp"
#include "modules/inverse/forward_operator.hpp"

namespace reseda::inverse {

/// Takes noise of this deviation out of an image; `step` counts from 0.
using PluggedDenoiser = std::function<at::Tensor(const at::Tensor& x, double sigma, std::int64_t step)>;

struct PlugAndPlaySettings {
  std::int64_t steps = 12;
  double sigma_first = 0.1, sigma_last = 0.02;  ///< deviations, in units of the image; between them by equal factors
  double lambda = 1.0;                          ///< weight of the denoiser
  double sigma_y = 0.0;                         ///< deviation of the measurement's noise
  CgSettings data = {20, 1e-4};                 ///< of a step towards the measurement
};

/// Half-quadratic splitting with a denoiser in the place of a prior's proximal map; for k = 0 .. steps - 1
///   z_k = D(x_k, sigma_k),  x_{k+1} = argmin_x |y - H x|^2 + lambda sigma_y^2 / sigma_k^2 |x - z_k|^2
/// Linear operators; real or complex images. Deterministic but for what the denoiser draws.
/// @param on_step  called with the number of steps done, may be empty; throws to stop
/// @throws Error{kUsage} for settings out of range, Error{kNumeric} where the image is no longer finite
/// Source: Zhang et al. 2021, "Plug-and-Play Image Restoration with Deep Denoiser Prior", Eq. (6), (14).
at::Tensor plug_and_play(const ForwardOperator& op, const at::Tensor& y, const at::Tensor& start,
                         const PluggedDenoiser& denoise, const PlugAndPlaySettings& settings,
                         const std::function<void(std::int64_t)>& on_step);

}  // namespace reseda::inverse
