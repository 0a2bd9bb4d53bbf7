#include "modules/diffusion/oracles/gaussian_mixture.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

namespace reseda::diffusion {
namespace {

/// sum over an item's elements, [B]
at::Tensor item_sum(const at::Tensor& x) { return x.flatten(1).sum(1); }

/// |e|^2, real
at::Tensor energy_of(const at::Tensor& e) { return e.is_complex() ? (e * e.conj()).abs() : e.square(); }

}  // namespace

GaussianMixtureOracle::GaussianMixtureOracle(std::vector<Component> components, const Process& process)
    : components_(std::move(components)), process_(process) {
  RESEDA_REQUIRE(!components_.empty(), Errc::kUsage, "the mixture oracle needs at least one component, got none");
  double total = 0;
  for (const Component& component : components_) {
    RESEDA_REQUIRE(std::isfinite(component.weight) && component.weight > 0, Errc::kUsage,
                   "weights of the mixture oracle must be > 0, got ", component.weight);
    RESEDA_REQUIRE(std::isfinite(component.deviation) && component.deviation > 0, Errc::kUsage,
                   "deviations of the mixture oracle must be > 0, got ", component.deviation);
    total += component.weight;
  }
  for (Component& component : components_) component.weight /= total;
}

Estimates GaussianMixtureOracle::operator()(const at::Tensor& x, double t, const Condition& condition) const {
  const Marginal m = process_.at(t);
  const at::Tensor &a = m.a.value, &c = m.c.value;
  const double parts = x.is_complex() ? 1.0 : 0.5;  // a complex value has two of each
  std::vector<at::Tensor> x0, eps, logits;
  for (const Component& component : components_) {
    const at::Tensor mu = component.mu.to(x.options()), error = x - m.mean(mu, condition.y);
    const at::Tensor signal = a * (component.deviation * component.deviation), v = a * signal + c.square();
    const at::Tensor inverse = at::where(v == 0, at::zeros_like(v), v.reciprocal());
    const at::Tensor width = at::where(v == 0, at::zeros_like(v), v.log());
    const at::Tensor energy = Coef(inverse) * energy_of(error) + Coef(width) * at::ones_like(at::real(error));
    logits.push_back(std::log(component.weight) - parts * item_sum(energy.to(at::kDouble)));
    x0.push_back(mu + Coef(signal * inverse) * error);
    eps.push_back(Coef(c * inverse) * error);
  }
  const at::Tensor r = at::softmax(at::stack(logits), 0);
  Estimates sum;
  std::vector<std::int64_t> per_item(static_cast<std::size_t>(x.dim()), 1);
  per_item[0] = x.size(0);
  for (std::size_t k = 0; k < x0.size(); ++k) {
    const Coef share(r[static_cast<std::int64_t>(k)].reshape(per_item));
    sum.x0 = k == 0 ? share * x0[k] : sum.x0.add_(share * x0[k]);
    sum.eps = k == 0 ? share * eps[k] : sum.eps.add_(share * eps[k]);
  }
  return sum;
}

at::Tensor GaussianMixtureOracle::cumulative(const at::Tensor& x, double t, const Condition& condition) const {
  const Marginal m = process_.at(t);
  at::Tensor sum = at::zeros_like(x);
  for (const Component& component : components_) {
    const at::Tensor v = m.a.value.square() * (component.deviation * component.deviation) + m.c.value.square();
    const at::Tensor z = Coef(v.rsqrt()) * (x - m.mean(component.mu.to(x.options()), condition.y));
    sum.add_(0.5 * component.weight * at::erfc(-z * std::numbers::sqrt2 / 2));
  }
  return sum;
}

}  // namespace reseda::diffusion
