#pragma once

#include <ATen/core/Tensor.h>

#include "modules/diffusion/sampler.hpp"

namespace reseda::diffusion {

/// The noise from which DDIM (bridge_ddim with eta 0 over all steps) makes an image, nearly: the sampler run backwards
/// over a process with a table of steps and b = 0, from the cleanest time t_1 up,
///   x <- a' x0 + c' eps
/// with the estimates at (x, t_i), ' the time t_{i+1}, and a' = 0, c' = 1 after the last. The image is taken for the
/// state at t_1. Deterministic.
/// @param x0  image, [B,C,H,W]   @return noise, same shape
/// @throws Error{kUsage} where the process has no table or adds the measurement; what after_step throws
/// Source: Song et al. 2021, "Denoising Diffusion Implicit Models", Sec. 4.3. Official: openai/guided-diffusion,
/// guided_diffusion/gaussian_diffusion.py, ddim_reverse_sample.
at::Tensor invert_ddim(const at::Tensor& x0, const Process& process, const Denoiser& denoiser, SampleContext& context);

}  // namespace reseda::diffusion
