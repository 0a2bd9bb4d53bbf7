#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::nn {

/// Sines, then cosines, of a time at frequencies from 1 down to 1e-4, both ends included:
///   [sin(t f_i), cos(t f_i)],   f_i = 10000^(-i / (n - 1)),   i = 0 .. n - 1,   n = floor(size / 2),
/// and a zero at the end where size is odd. Arguments reach 1000 radians, so the rounding of the products in float32 is
/// part of what a trained network has learnt.
/// @param t     [B] float32, any real time   @param size  at least 4
/// @return      [B,size] float32
/// Source: Ho et al. 2020, "Denoising Diffusion Probabilistic Models", after Vaswani et al. 2017, "Attention Is All You
/// Need".
at::Tensor sinusoidal_embedding(const at::Tensor& t, std::int64_t size);

/// Cosines, then sines, at frequencies that stop short of 1e-4:
///   [cos(t f_i), sin(t f_i)],   f_i = 10000^(-i / n),   i = 0 .. n - 1,   n = floor(size / 2),
/// and a zero at the end where size is odd.
/// @param t     [B] float32, any real time   @param size  at least 2
/// @return      [B,size] float32
/// Source: Dhariwal & Nichol 2021, "Diffusion Models Beat GANs on Image Synthesis"; Peebles & Xie 2023, "Scalable
/// Diffusion Models with Transformers".
at::Tensor cosine_first_embedding(const at::Tensor& t, std::int64_t size);

}  // namespace reseda::nn
