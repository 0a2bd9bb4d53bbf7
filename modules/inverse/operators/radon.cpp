#include "modules/inverse/operators/radon.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"
#include "modules/inverse/operators/back_projection.hpp"
#include "modules/inverse/operators/ray_sums.hpp"

namespace reseda::inverse {
namespace {

constexpr const char* kName = "radon";

}  // namespace

Radon::Radon(const RadonConfig& config) : config_(config), shape_(config.image), rays_(config.rays, shape_) {
  diffusion::require_choice("operator.adjoint", config.adjoint, {"exact", "official"});
  require_filter("operator.filter", config.filter);
  RESEDA_REQUIRE(config.adjoint == "exact" || config.rays.beam == "parallel", Errc::kUsage,
                 "operator.adjoint = official needs a parallel beam");
}

void Radon::require(const at::Tensor& y) const {
  require_measurement(y, {shape_.channels, rays_.detectors(), rays_.views()}, kName);
}

at::Tensor Radon::apply(const at::Tensor& x) const {
  shape_.require(x, kName);
  return (ray_sums(rays_, x.flatten(0, 1)) * rays_.pixel())
      .reshape({x.size(0), shape_.channels, rays_.detectors(), rays_.views()});
}

at::Tensor Radon::transpose(const at::Tensor& y) const {
  require(y);
  return (ray_sums_transpose(rays_, y.flatten(0, 1)) * rays_.pixel()).reshape(shape_.batch(y.size(0)));
}

at::Tensor Radon::adjoint(const at::Tensor& y) const {
  if (config_.adjoint == "exact") return transpose(y);
  require(y);
  return back_projection(rays_, y) / 2;
}

at::Tensor Radon::vjp(const at::Tensor&, const at::Tensor& v) const { return transpose(v); }

at::Tensor Radon::pseudo_inverse(const at::Tensor& y) const {
  require(y);
  return back_projection(rays_, filtered(rays_, y, config_.filter));
}

const OperatorEntry& operator_entry_radon() {
  static const auto entry = make_component<ForwardOperator, Radon, RadonConfig>(
      "radon", "tomography: line integrals along parallel beams or fans");
  return entry;
}

}  // namespace reseda::inverse
