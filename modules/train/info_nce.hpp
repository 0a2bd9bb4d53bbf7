#pragma once

#include <ATen/core/Tensor.h>

namespace reseda::train {

/// InfoNCE between representations of the same images: with rows of unit length (their norm at least 1e-12) and
/// s_ij = <q_i, k_j> / tau,
///   loss_i = ln sum_j exp(s_ij) - s_ii.
/// Keys of other processes follow the own ones, so that row i of both belongs to image i; they are negatives for all.
/// @param queries  [B,C]   @param keys  [M,C], M >= B   @return [B], float32 or wider
/// @throws Error{kUsage} unless tau > 0, Error{kInternal} on other shapes
/// Source: van den Oord et al. 2018, "Representation Learning with Contrastive Predictive Coding". Official:
/// jiachenlei/rRCM, rrcm/rrcm_denoiser.py (contrastive_loss).
at::Tensor info_nce(const at::Tensor& queries, const at::Tensor& keys, double tau);

}  // namespace reseda::train
