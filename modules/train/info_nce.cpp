#include "modules/train/info_nce.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::train {
namespace {

at::Tensor unit_rows(const at::Tensor& x) { return x / x.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12); }

}  // namespace

at::Tensor info_nce(const at::Tensor& queries, const at::Tensor& keys, double tau) {
  RESEDA_REQUIRE(tau > 0, Errc::kUsage, "loss.tau must be > 0, got ", tau);
  RESEDA_REQUIRE(
      queries.dim() == 2 && keys.dim() == 2 && queries.size(1) == keys.size(1) && keys.size(0) >= queries.size(0),
      Errc::kInternal, "InfoNCE of ", queries.sizes(), " and ", keys.sizes());
  at::Tensor similarity = at::matmul(unit_rows(queries), unit_rows(keys).t()) / tau;
  if (similarity.scalar_type() != at::kDouble) similarity = similarity.to(at::kFloat);
  return similarity.logsumexp(1) - similarity.diagonal();
}

}  // namespace reseda::train
