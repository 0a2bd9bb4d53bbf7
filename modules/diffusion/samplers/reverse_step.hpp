#pragma once

#include <ATen/core/Tensor.h>

#include "modules/diffusion/denoiser.hpp"
#include "modules/diffusion/process.hpp"

namespace reseda::diffusion {

/// Weights of one step of length dt of the reverse SDE at time t, discretised once (reverse diffusion, which for this
/// SDE is Euler-Maruyama too). With score s = -eps / c:
///   mean = x - (f x + h y) dt + g^2 s dt = (1 - f dt) x - h dt y - (g^2 dt / c) eps,   x <- mean + g sqrt(dt) z
/// Source: Song et al. 2021, "Score-Based Generative Modeling through Stochastic Differential Equations", App. E.
struct ReverseStep {
  Coef x, y, eps, noise;
  at::Tensor mean(const at::Tensor& state, const at::Tensor& measurement, const Estimates& estimates) const;
};
ReverseStep reverse_step(const Process& process, double t, double dt);

}  // namespace reseda::diffusion
