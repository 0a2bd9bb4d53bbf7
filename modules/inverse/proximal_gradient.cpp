#include "modules/inverse/proximal_gradient.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::inverse {

at::Tensor proximal_gradient(const ForwardOperator& op, const at::Tensor& y, const at::Tensor& start,
                             const Proximal& prox, std::int64_t iterations,
                             const std::function<void(std::int64_t)>& on_iteration) {
  RESEDA_REQUIRE(op.is_linear(), Errc::kUsage, "proximal gradients need a linear operator");
  RESEDA_REQUIRE(iterations >= 1, Errc::kUsage, "proximal gradients need >= 1 iterations, got ", iterations);
  at::Tensor x = start, z = start;
  double t = 1;
  for (std::int64_t k = 0; k < iterations; ++k) {
    const at::Tensor next = prox(z + op.adjoint(y - op.apply(z)), k);
    const double t_next = (1 + std::sqrt(1 + 4 * t * t)) / 2;
    z = next + (t - 1) / t_next * (next - x);
    x = next;
    t = t_next;
    if (on_iteration) on_iteration(k + 1);
  }
  RESEDA_REQUIRE(x.abs().sum().isfinite().item<bool>(), Errc::kNumeric, "proximal gradients: the image is not finite");
  return x;
}

}  // namespace reseda::inverse
