#pragma once

#include <ATen/core/Tensor.h>

namespace reseda::inverse {

/// How much neighbours of a noise field are correlated, over scales: with z_0 = z and z_{k+1} = z_k averaged over 2 x 2
/// blocks (an odd last row or column is left out),
///   R = sum_k sum_axes mean(z_k roll(z_k, 1, axis))^2,   axes height and width, until a side is <= 2
/// Near 0 for white noise, > 0 for a constant.
/// Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", App. D; in one dimension
/// korrawe/Diffusion-Noise-Optimization, dno.py, which fills up to powers of two with fresh noise.
struct Decorrelation {
  at::Tensor value;     ///< [B]
  at::Tensor gradient;  ///< shape of z
};
/// @param z  [B,C,H,W], real
Decorrelation decorrelation(const at::Tensor& z);

}  // namespace reseda::inverse
