#include "modules/diffusion/guidance/adaptive_guidance.hpp"

#include <ATen/ATen.h>

namespace reseda::diffusion {
namespace {

at::Tensor rows(const at::Tensor& all, const at::Tensor& which) {
  return all.defined() ? all.index_select(0, which) : all;
}

/// [N]
at::Tensor cosine(const at::Tensor& u, const at::Tensor& v) {
  const at::Tensor flat_u = u.flatten(1), flat_v = v.flatten(1);
  const at::Tensor product = u.is_complex() ? at::real(flat_u * flat_v.conj()) : flat_u * flat_v;
  const at::Tensor sizes = flat_u.abs().square().sum(1).sqrt() * flat_v.abs().square().sum(1).sqrt();
  return at::where(sizes > 0, product.sum(1) / sizes, at::ones_like(sizes));
}

}  // namespace

Estimates AdaptiveGuidance::operator()(const at::Tensor& x, double t, const Condition& condition) const {
  if (!open_.defined() || open_.size(0) != x.size(0) || t > last_t_)
    open_ = at::ones({x.size(0)}, at::TensorOptions().dtype(at::kBool));
  last_t_ = t;
  const Estimates guided = guided_(x, t, condition);
  const at::Tensor kept = open_.nonzero().squeeze(1);
  if (kept.numel() == 0) return guided;
  const at::Tensor which = kept.to(x.device());
  unguided_calls_ += kept.numel();
  const at::Tensor plain =
      unguided_(rows(x, which), t,
                {rows(condition.y, which), rows(condition.extra, which), rows(condition.x0_before, which)})
          .eps;
  const at::Tensor own = rows(guided.eps, which);
  const at::Tensor turns = (cosine(own, plain) < threshold_).to(at::kCPU);
  open_.index_copy_(0, kept, turns);
  const at::Tensor weight = at::where(turns, weight_, 1.0).to(x.device(), c10::toRealValueType(x.scalar_type()));
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[0] = kept.numel();
  const at::Tensor eps = guided.eps.index_copy(0, which, plain + weight.reshape(shape) * (own - plain));
  return estimates_from(Target::kEps, eps, x, condition.y, process_.at(t), {});
}

}  // namespace reseda::diffusion
