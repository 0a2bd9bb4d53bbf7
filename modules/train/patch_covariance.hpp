#pragma once

#include <ATen/core/Tensor.h>

namespace reseda::train {

/// How far the 8 x 8 patches of a noise map are from independent pixels of one variance: for every channel with the
/// covariance S of its overlapping patches (divided by their number less one), the mean over the 64 x 64 entries of
/// (S - variance I)^2, summed over the channels.
/// @param noise  [B,C,H,W], H and W at least 8, more than one patch   @return [B]
/// @throws Error{kInternal} for smaller maps
/// Official: zirui0625/DifIISR, models/gaussian_diffusion_train.py, cov_loss (from wyf0912/SinSR).
at::Tensor patch_covariance_loss(const at::Tensor& noise, double variance);

}  // namespace reseda::train
