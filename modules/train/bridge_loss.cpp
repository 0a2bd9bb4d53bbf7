#include "modules/train/bridge_loss.hpp"

#include <ATen/ATen.h>

namespace reseda::train {
namespace {

using diffusion::Coef;
using diffusion::Marginal;
using diffusion::Rates;

at::Tensor plus(const at::Tensor& sum, const Coef& weight, const at::Tensor& value) {
  return value.defined() ? sum + weight * value : sum;
}

at::Tensor interpolant_target(InterpolantTarget target, const Marginal& m, const Rates& r, const at::Tensor& x0,
                              const at::Tensor& y, const at::Tensor& z) {
  switch (target) {
    case InterpolantTarget::kVelocity:
      return plus(plus(r.a * x0, r.b, y), r.c, z);
    case InterpolantTarget::kDrift:
      return plus(r.a * x0, r.b, y);
    case InterpolantTarget::kScore:
      return Coef(-m.c.value.reciprocal()) * z;
    case InterpolantTarget::kDenoiser:
      return -z;
  }
  return {};
}

}  // namespace

at::Tensor BridgeLoss::degrade(const at::Tensor& x0, const at::Tensor& y, const at::Tensor& eps,
                               const at::Tensor& times) const {
  return diffusion::marginals(process_, times, x0.dim()).sample(x0, y, eps);
}

at::Tensor BridgeLoss::operator()(const at::Tensor& prediction, const at::Tensor& x0, const at::Tensor& y,
                                  const at::Tensor& eps, const at::Tensor& times, const at::Tensor& unit) const {
  const at::Tensor wanted =
      diffusion::target_value(target_, x0, eps, y, diffusion::marginals(process_, times, x0.dim()),
                              diffusion::rates(process_, times, x0.dim()));
  const at::Tensor error = unit.defined() ? (prediction - wanted) / unit : prediction - wanted;
  return norm_ == Norm::kSquares ? error.square().mean() : error.abs().mean();
}

at::Tensor interpolant_loss(InterpolantTarget target, bool antithetic, const diffusion::Process& process,
                            const InterpolantCall& network, const at::Tensor& x0, const at::Tensor& y,
                            const at::Tensor& z, const at::Tensor& times) {
  const Marginal m = diffusion::marginals(process, times, x0.dim());
  const Rates r = diffusion::rates(process, times, x0.dim());
  const auto side = [&](const at::Tensor& noise) {
    const at::Tensor p = network(m.sample(x0, y, noise), times);
    const at::Tensor each = 0.5 * p.square() - interpolant_target(target, m, r, x0, y, noise) * p;
    return each.flatten(1).sum(1).mean();
  };
  return antithetic ? side(z) + side(-z) : side(z);
}

}  // namespace reseda::train
