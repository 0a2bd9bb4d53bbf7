#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modules/train/adam.hpp"

namespace reseda::train {

/// 1 - beta1^n and 1 - beta2^n: what the moments are divided by after n updates.
struct MomentCorrections {
  double first, second;
};

/// What Adam and RAdam do before they differ: w <- (1 - lr decay) w, m <- beta1 m + (1 - beta1) g,
/// v <- beta2 v + (1 - beta2) g^2.
/// @param values, gradient, first, second  float tensors of one shape; values and moments change in place
/// @param update  number of this update, from 1
/// Source: Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1; Loshchilov & Hutter 2019,
/// "Decoupled Weight Decay Regularization", algorithm 2.
MomentCorrections update_moments(const AdamConfig& config, at::Tensor& values, const at::Tensor& gradient, double lr,
                                 at::Tensor& first, at::Tensor& second, std::int64_t update);

}  // namespace reseda::train
