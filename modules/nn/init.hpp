#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

namespace reseda::nn {

/// Uniform weights with variance scale / ((fan_in + fan_out) / 2), drawn from LibTorch's default generator.
/// @param shape  [out, in, kernel...] or [in, out]: the receptive field multiplies both fans
/// @param scale  0 is taken as 1e-10: a layer that starts as good as absent, yet gets a gradient
/// Source: Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", with the
/// scale of Ho et al. 2020, "Denoising Diffusion Probabilistic Models".
at::Tensor fan_average_uniform(at::IntArrayRef shape, double scale = 1.0);

/// Makes every parameter of a layer 0, for the last layer of a residual branch or of a network.
void set_to_zero(torch::nn::Module& layer);

}  // namespace reseda::nn
