#include "modules/diffusion/oracles/wiener.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "modules/diffusion/oracles/item_coefficient.hpp"

namespace reseda::diffusion {
namespace {

constexpr const char* kName = "the Wiener denoiser";

at::Tensor reciprocal_or_zero(const at::Tensor& v) { return at::where(v == 0, at::zeros_like(v), v.reciprocal()); }

}  // namespace

ImageStatistics image_statistics(const at::Tensor& images, std::int64_t rank, double floor) {
  RESEDA_REQUIRE(images.dim() == 4 && images.size(0) >= 2, Errc::kUsage,
                 "image statistics need [N, C, H, W] with N >= 2 images, got ", images.sizes());
  RESEDA_REQUIRE(rank >= 0, Errc::kUsage, "rank of image statistics must be >= 0, got ", rank);
  RESEDA_REQUIRE(std::isfinite(floor) && floor > 0, Errc::kUsage, "floor of image statistics must be > 0, got ", floor);
  const at::Tensor flat = images.flatten(1).to(at::kDouble);
  const std::int64_t count = flat.size(0), n = flat.size(1);
  ImageStatistics s;
  s.shape = images.sizes().slice(1).vec();
  s.mean = flat.mean(0);
  const at::Tensor centred = (flat - s.mean) / std::sqrt(static_cast<double>(count - 1));
  const bool wide = count <= n;
  auto [values, vectors] = at::linalg_eigh(wide ? at::mm(centred, centred.t()) : at::mm(centred.t(), centred));
  values = values.flip(0).clamp_min(0.0);
  vectors = vectors.flip(1);
  // One dimension of N centred images is lost to the mean.
  const double largest = values[0].item<double>(), negligible = 1e-12 * largest;
  const auto known = (values > negligible).sum().item<std::int64_t>();
  const std::int64_t kept = rank == 0 ? known : std::min(rank, known);
  s.directions = vectors.narrow(1, 0, kept);
  s.variances = values.narrow(0, 0, kept);
  if (wide) s.directions = at::mm(centred.t(), s.directions) / s.variances.sqrt();
  const double left = values.sum().item<double>() - s.variances.sum().item<double>();
  s.tail = std::max(floor, kept < n ? left / static_cast<double>(n - kept) : 0.0);
  s.variances = s.variances.clamp_min(floor);
  return s;
}

Estimates WienerDenoiser::operator()(const at::Tensor& x, double t, const Condition& condition) const {
  RESEDA_REQUIRE(x.dim() == 4 && x.sizes().slice(1) == at::IntArrayRef(statistics_.shape) && !x.is_complex(),
                 Errc::kUsage, "the Wiener denoiser knows images of shape ", at::IntArrayRef(statistics_.shape),
                 ", got a state of ", x.sizes());
  const Marginal m = process_.at(t);
  const at::Tensor a = item_coefficient(kName, m.a, x), c = item_coefficient(kName, m.c, x);
  const at::Tensor mean = statistics_.mean.reshape(statistics_.shape).to(x.options());
  const at::Tensor error = (x - m.mean(mean, condition.y)).to(at::kDouble).flatten(1);
  const at::Tensor along = at::mm(error, statistics_.directions);  // [B, r]
  const at::Tensor v = reciprocal_or_zero(a.square() * statistics_.variances + c.square());
  const at::Tensor tail = reciprocal_or_zero(a.square() * statistics_.tail + c.square());
  const auto filtered = [&](const at::Tensor& gain, const at::Tensor& tail_gain) {
    const at::Tensor leading = at::mm((gain - tail_gain) * along, statistics_.directions.t());
    return (tail_gain * error + leading).reshape(x.sizes()).to(x.scalar_type());
  };
  return {mean + filtered(a * statistics_.variances * v, a * statistics_.tail * tail), filtered(c * v, c * tail)};
}

}  // namespace reseda::diffusion
