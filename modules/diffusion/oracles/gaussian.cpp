#include "modules/diffusion/oracles/gaussian.hpp"

#include <ATen/ATen.h>

#include <cmath>

namespace reseda::diffusion {

GaussianOracle::GaussianOracle(at::Tensor mu, double deviation, const Process& process)
    : mu_(std::move(mu)), deviation_(deviation), process_(process) {
  RESEDA_REQUIRE(std::isfinite(deviation) && deviation >= 0, Errc::kUsage, "deviation of the oracle must be >= 0, got ",
                 deviation);
}

Estimates GaussianOracle::operator()(const at::Tensor& x, double t, const Condition& condition) const {
  const Marginal marginal = process_.at(t);
  const at::Tensor &a = marginal.a.value, &c = marginal.c.value;
  const at::Tensor signal = a * (deviation_ * deviation_), total = a * signal + c.square();
  const at::Tensor inverse = at::where(total == 0, at::zeros_like(total), total.reciprocal());
  const at::Tensor mu = mu_.to(x.options());
  const at::Tensor error = x - marginal.mean(mu, condition.y);
  return {mu + Coef(signal * inverse) * error, Coef(c * inverse) * error};
}

}  // namespace reseda::diffusion
