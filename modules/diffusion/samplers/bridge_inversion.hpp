#pragma once

#include <ATen/core/Tensor.h>

#include "modules/diffusion/sampler.hpp"

namespace reseda::diffusion {

/// The state of a noisier time from which a step of DDIM makes x, given the estimate of x0; ' is the cleaner time:
///   (x - a' x0 - b' y) c / c' + a x0 + b y
/// @throws Error{kUsage} where the cleaner time has no noise (c' = 0), and every state would lead to x
at::Tensor inverse_bridge_step(const Marginal& noisier, const Marginal& cleaner, const at::Tensor& x,
                               const at::Tensor& x0, const at::Tensor& y);

/// The degraded end from which DDIM (bridge_ddim with eta 0 over all steps) makes an image, nearly: the image is taken
/// for the state at the cleanest time of the table and led up, step by step. The estimate of each step is the network's
/// at the noisier time for the cleaner state. Deterministic. SinSR analyses its teacher with it.
/// @param x0  image, [B,C,H,W]   @param y  measurement, same shape   @return state at t_start, same shape
/// @throws Error{kUsage} where the process has no table of steps; what after_step throws
/// Source: Wang et al. 2024, "SinSR: Diffusion-Based Image Super-Resolution in a Single Step", Sec. 3. Official:
/// zirui0625/DifIISR, models/gaussian_diffusion_test.py, ddim_inverse_loop.
at::Tensor invert_bridge(const at::Tensor& x0, const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                         SampleContext& context);

}  // namespace reseda::diffusion
