#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "modules/inverse/forward_operator.hpp"

namespace reseda::inverse {

/// A linear map of a batch to itself.
using LinearMap = std::function<at::Tensor(const at::Tensor&)>;

struct CgSettings {
  std::int64_t iterations = 30;  ///< at most
  double tolerance = 1e-6;       ///< an item is done at |b - N x| <= tolerance |b|
};

struct CgResult {
  at::Tensor x;                 ///< shape of b
  at::Tensor residual;          ///< [B] float64, |b - N x| as the recursion has it
  std::int64_t iterations = 0;  ///< of the slowest item
};

/// Conjugate gradients for N x = b, N Hermitian and not negative, real or complex; every item of the batch is a system
/// of its own, with its own steps, and stays as it is once done. Inner products are Re <u, v>, summed in float64.
/// Deterministic.
/// @param start  first guess of the shape of b, or undefined: 0; from 0 a singular N gives the solution of least norm
/// Source: Hestenes, Stiefel 1952, "Methods of Conjugate Gradients for Solving Linear Systems".
CgResult conjugate_gradient(const LinearMap& normal, const at::Tensor& b, const at::Tensor& start,
                            const CgSettings& settings);

/// argmin_x |y - H x|^2 + weight |x - anchor|^2 by conjugate gradients on (H^* H + weight) x = H^* y + weight anchor,
/// from the anchor. With a multi-coil Fourier operator and weight 0 this is CG-SENSE; with weight = 1 / rho the
/// proximal map of the data term.
/// @param anchor  [B,C,H,W], or undefined: 0
/// @throws Error{kUsage} where the operator is not linear or the weight is negative
/// Source: Pruessmann et al. 2001, "Advances in Sensitivity Encoding with Arbitrary k-Space Trajectories".
CgResult least_squares(const ForwardOperator& op, const at::Tensor& y, double weight, const at::Tensor& anchor,
                       const CgSettings& settings);

}  // namespace reseda::inverse
