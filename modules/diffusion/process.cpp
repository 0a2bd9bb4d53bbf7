#include "modules/diffusion/process.hpp"

#include <ATen/ATen.h>

namespace reseda::diffusion {

Coef::Coef(double scalar) : value(at::scalar_tensor(scalar, at::kDouble)) {}

// A scalar lives on the CPU, where reading it never waits for a device.
Coef::Coef(at::Tensor map) : value(map.dim() == 0 ? map.to(at::kCPU, at::kDouble) : map.to(at::kDouble)) {}

double Coef::scalar() const {
  RESEDA_INVARIANT(is_scalar());
  return *value.const_data_ptr<double>();
}

at::Tensor Coef::operator*(const at::Tensor& x) const {
  if (is_scalar()) return at::mul(x, scalar());
  return at::mul(x, value.to(x.device(), c10::toRealValueType(x.scalar_type())));
}

at::Tensor Marginal::mean(const at::Tensor& x0, const at::Tensor& y) const {
  return y.defined() ? a * x0 + b * y : a * x0;
}

at::Tensor Marginal::sample(const at::Tensor& x0, const at::Tensor& y, const at::Tensor& eps) const {
  return mean(x0, y) + c * eps;
}

ForwardSde forward_sde(const Marginal& marginal, const Rates& rates) {
  const at::Tensor& c = marginal.c.value;
  const at::Tensor f = rates.a.value / marginal.a.value;
  const at::Tensor h = rates.b.value - f * marginal.b.value;
  // Rounding may leave a square that vanishes slightly below zero.
  const at::Tensor g = (2.0 * c * (rates.c.value - f * c)).clamp_min(0.0).sqrt();
  return {Coef(f), Coef(h), Coef(g)};
}

at::Tensor draw_like(NoiseSource& noise, const DrawKey& key, const at::Tensor& like) {
  const at::Tensor drawn = noise.normal(key, like.sizes(), like.is_complex() ? at::kComplexFloat : at::kFloat);
  return drawn.to(like.device(), like.scalar_type());
}

std::unique_ptr<Process> make_process(const ConfigNode& node, const std::string& path) {
  auto [name, rest] = split_name(node, path);
  return find_component(process_entries(), "process", name).make(rest, path);
}

}  // namespace reseda::diffusion
