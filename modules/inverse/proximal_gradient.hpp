#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "modules/inverse/forward_operator.hpp"

namespace reseda::inverse {

/// The proximal map of the regulariser for a step of length 1; `iteration` counts from 0. A map may draw, say, a shift
/// of its wavelets from the count.
using Proximal = std::function<at::Tensor(const at::Tensor& x, std::int64_t iteration)>;

/// Accelerated proximal gradients (FISTA) for argmin_x |y - H x|^2 / 2 + r(x) with |H| <= 1:
///   x_{k+1} = prox(z_k + H^*(y - H z_k)),  z_{k+1} = x_{k+1} + (t_k - 1) / t_{k+1} (x_{k+1} - x_k),
///   t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2,  z_0 = x_0 = start
/// @param on_iteration  called with the number of iterations done, may be empty; throws to stop
/// @throws Error{kUsage} where the operator is not linear or iterations < 1; Error{kNumeric} where the image is no
///         longer finite
/// Source: Beck, Teboulle 2009, "A Fast Iterative Shrinkage-Thresholding Algorithm for Linear Inverse Problems".
at::Tensor proximal_gradient(const ForwardOperator& op, const at::Tensor& y, const at::Tensor& start,
                             const Proximal& prox, std::int64_t iterations,
                             const std::function<void(std::int64_t)>& on_iteration);

}  // namespace reseda::inverse
