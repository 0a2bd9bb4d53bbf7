#include "modules/metrics/correlation.hpp"

#include <ATen/ATen.h>

#include <limits>

#include "modules/core/error.hpp"

namespace reseda::metrics {
namespace {

at::Tensor flat(const at::Tensor& values) {
  return values.detach().to(at::TensorOptions(at::kDouble).device(at::kCPU)).flatten();
}

/// 1 to n, equal values sharing the mean of their ranks.
at::Tensor ranks(const at::Tensor& values) {
  const auto [unique, place, count] = at::_unique2(values, /*sorted=*/true, /*return_inverse=*/true,
                                                   /*return_counts=*/true);
  const at::Tensor last = count.cumsum(0).to(at::kDouble), mean = last - 0.5 * (count.to(at::kDouble) - 1.0);
  return mean.index_select(0, place);
}

}  // namespace

double pearson_correlation(const at::Tensor& x, const at::Tensor& y) {
  RESEDA_REQUIRE(x.sizes() == y.sizes(), Errc::kInput, "correlation: both samples must have one shape, got ", x.sizes(),
                 " and ", y.sizes());
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  if (x.numel() == 0) return kNan;
  const at::Tensor a = flat(x), b = flat(y), u = a - a.mean(), v = b - b.mean();
  const double energy = u.norm().item<double>() * v.norm().item<double>();
  return energy > 0 ? u.dot(v).item<double>() / energy : kNan;
}

double spearman_correlation(const at::Tensor& x, const at::Tensor& y) {
  RESEDA_REQUIRE(x.sizes() == y.sizes(), Errc::kInput, "correlation: both samples must have one shape, got ", x.sizes(),
                 " and ", y.sizes());
  return pearson_correlation(ranks(flat(x)), ranks(flat(y)));
}

}  // namespace reseda::metrics
