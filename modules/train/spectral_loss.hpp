#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace reseda::train {

/// How far the distributions of spectral magnitudes of two images are from each other: with M = ln(1 + |F|), F the
/// Fourier transform over height and width, and each M standardised over the whole batch (s the deviation with Bessel's
/// correction),
///   mean (z(M_a) - z(M_b))^2,   z(M) = (M - mean M) / (s + 1e-8)
/// Phases do not enter, and nor does, but for the 1 beside |F|, the contrast.
/// @param a, b  [B,C,H,W], same shape   @return zero-dimensional
/// Source: Li et al. 2025, "DifIISR: A Diffusion Model with Gradient Guidance for Infrared Image Super-Resolution",
/// Sec. 3. Official: zirui0625/DifIISR, loss.py, VisualLoss.
at::Tensor spectral_loss(const at::Tensor& a, const at::Tensor& b);

/// A network that images are compared by: [B,C,H,W] in [-1, 1] -> features of any shape.
using FeatureCall = std::function<at::Tensor(const at::Tensor& image)>;

/// Sum over the networks of mean (f(a) - f(b))^2. DifIISR has the last layer of VGG19's features and the image encoder
/// of SAM ViT-B, both shown images in [-1, 1] without the normalisation they were trained with.
/// @return zero-dimensional
/// Source: as spectral_loss. Official: zirui0625/DifIISR, loss.py, PerceptualLoss.
at::Tensor feature_loss(const at::Tensor& a, const at::Tensor& b, const std::vector<FeatureCall>& networks);

}  // namespace reseda::train
