#pragma once

#include <ATen/core/Tensor.h>

namespace reseda::nn {

/// Doubles height and width with the kernel [1,3,3,1]. On each axis, with values outside taken as 0,
///   out[2m] = (x[m-1] + 3 x[m]) / 4,   out[2m+1] = (3 x[m] + x[m+1]) / 4.
/// @param x  [B,C,H,W]   @return [B,C,2H,2W]
/// Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN"; Zhang 2019, "Making
/// Convolutional Networks Shift-Invariant Again".
at::Tensor fir_up2(const at::Tensor& x);

/// Halves height and width with the kernel [1,3,3,1]. On each axis, with values outside taken as 0,
///   out[m] = (x[2m-1] + 3 x[2m] + 3 x[2m+1] + x[2m+2]) / 8.
/// It is the adjoint of fir_up2 divided by 4.
/// @param x  [B,C,H,W], H and W at least 2   @return [B,C,floor(H/2),floor(W/2)]
/// @throws Error{kInput} on a smaller input
at::Tensor fir_down2(const at::Tensor& x);

}  // namespace reseda::nn
