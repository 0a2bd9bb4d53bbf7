#pragma once

#include <ATen/core/Tensor.h>

#include "modules/diffusion/denoiser.hpp"

namespace reseda::diffusion {

/// The exact denoiser of x0 ~ N(mu, deviation^2 I), independent of y, on any bridge. With e = x - b y - a mu:
///   x0 = mu + a d^2 / (a^2 d^2 + c^2) e,   eps = c / (a^2 d^2 + c^2) e;   mu and 0 where both a d and c vanish
/// For complex x0 the variance d^2 is that of the complex value. Along the probability flow e / sqrt(a^2 d^2 + c^2)
/// does not change.
class GaussianOracle final : public Denoiser {
 public:
  /// @param mu         broadcasts against the state
  /// @param deviation  >= 0. @throws Error{kUsage}
  GaussianOracle(at::Tensor mu, double deviation, const Process& process);
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override;

 private:
  at::Tensor mu_;
  double deviation_;
  const Process& process_;
};

}  // namespace reseda::diffusion
