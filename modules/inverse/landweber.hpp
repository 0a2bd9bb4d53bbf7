#pragma once

#include <ATen/core/Tensor.h>

#include "modules/inverse/forward_operator.hpp"

namespace reseda::inverse {

/// One Landweber step towards H x = y: x + weight H^* (y - H x). It comes closer for weight |H|^2 < 2; where
/// H H^* = I, as for one coil's masked Fourier transform, weight 1 arrives. score-MRI calls it a Kaczmarz step.
at::Tensor landweber_step(const ForwardOperator& op, const at::Tensor& x, const at::Tensor& y, double weight);

/// The same step with each pixel's own weight, 1 / (H^* H 1): x + H^* (y - H x) / (H^* H 1), where that is not 0.
/// Source: Andersen, Kak 1984, "Simultaneous Algebraic Reconstruction Technique (SART)"; here with the weights of
/// hyungjin-chung/DiffusionMBIR, controllable_generation_TV.py (kaczmarz).
at::Tensor normalised_step(const ForwardOperator& op, const at::Tensor& x, const at::Tensor& y);

}  // namespace reseda::inverse
