#include "modules/diffusion/process.hpp"

#include <ATen/ATen.h>

namespace reseda::diffusion {
namespace {

/// One map of each coefficient from the values that `read` gives at each time.
template <class Read>
std::vector<Coef> maps(const at::Tensor& times, std::int64_t dimensions, std::size_t count, const Read& read) {
  RESEDA_INVARIANT(times.dim() == 1 && times.scalar_type() == at::kDouble && times.device().is_cpu());
  std::vector<std::vector<at::Tensor>> columns(count);
  const at::Tensor rows = times.contiguous();
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    const std::vector<Coef> row = read(rows.const_data_ptr<double>()[i]);
    for (std::size_t k = 0; k < count; ++k)
      if (row[k].value.defined()) columns[k].push_back(at::scalar_tensor(row[k].scalar(), at::kDouble));
  }
  std::vector<std::int64_t> shape(static_cast<std::size_t>(dimensions), 1);
  shape[0] = rows.size(0);
  std::vector<Coef> out(count);
  for (std::size_t k = 0; k < count; ++k)
    if (!columns[k].empty()) out[k] = Coef(at::stack(columns[k]).reshape(shape));
  return out;
}

}  // namespace

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

Marginal marginals(const Process& process, const at::Tensor& times, std::int64_t dimensions) {
  const auto all = maps(times, dimensions, 3, [&](double t) {
    const Marginal m = process.at(t);
    return std::vector<Coef>{m.a, m.b, m.c};
  });
  return {all[0], all[1], all[2]};
}

Rates rates(const Process& process, const at::Tensor& times, std::int64_t dimensions) {
  const auto all = maps(times, dimensions, 4, [&](double t) {
    const Rates r = process.rate(t);
    return std::vector<Coef>{r.a, r.b, r.c, r.resnoise};
  });
  return {all[0], all[1], all[2], all[3]};
}

at::Tensor network_input_times(const Process& process, const at::Tensor& times) {
  RESEDA_INVARIANT(times.dim() == 1 && times.scalar_type() == at::kDouble && times.device().is_cpu());
  const at::Tensor rows = times.contiguous();
  std::vector<at::Tensor> numbers;
  for (std::int64_t i = 0; i < rows.size(0); ++i)
    numbers.push_back(at::tensor(process.network_times(rows.const_data_ptr<double>()[i]), at::kDouble));
  if (numbers.empty()) return at::empty({0}, at::kFloat);
  const at::Tensor all = at::stack(numbers).to(at::kFloat);
  return all.size(1) == 1 ? all.squeeze(1) : all;
}

at::Tensor network_input_state(const Process& process, const at::Tensor& x, const at::Tensor& times) {
  RESEDA_INVARIANT(times.dim() == 1 && times.size(0) == x.size(0) && times.scalar_type() == at::kDouble);
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[0] = x.size(0);
  const at::Tensor scales = at::empty(shape, at::kDouble);
  bool plain = true;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const double scale = process.network_scale(times[i].item<double>());
    plain = plain && scale == 1.0;
    scales[i].fill_(scale);
  }
  return plain ? x : Coef(scales) * x;
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
