#include "modules/inverse/wavelets.hpp"

#include <ATen/ATen.h>

#include <array>

#include "modules/core/error.hpp"
#include "modules/inverse/finite_differences.hpp"

namespace reseda::inverse {
namespace {

constexpr std::int64_t kTaps = 8;
constexpr std::array<double, kTaps> kLow = {0.2303778133088965,  0.7148465705529157, 0.6308807679298589,
                                            -0.0279837694168599, -0.187034811719093, 0.0308413818355607,
                                            0.0328830116668852,  -0.010597401785069};

double high(std::int64_t k) { return (k % 2 == 0 ? -1.0 : 1.0) * kLow[static_cast<std::size_t>(kTaps - 1 - k)]; }

/// Low and high half along an axis, one behind the other.
at::Tensor halves(const at::Tensor& x, std::int64_t axis) {
  const std::int64_t half = x.size(axis) / 2;
  at::Tensor out = at::zeros_like(x);
  at::Tensor low = out.narrow(axis, 0, half), detail = out.narrow(axis, half, half);
  for (std::int64_t k = 0; k < kTaps; ++k) {
    const at::Tensor every_second = x.roll({-k}, {axis}).slice(axis, 0, x.size(axis), 2);
    low.add_(every_second, kLow[static_cast<std::size_t>(k)]);
    detail.add_(every_second, high(k));
  }
  return out;
}

at::Tensor joined(const at::Tensor& bands, std::int64_t axis) {
  const std::int64_t half = bands.size(axis) / 2;
  const at::Tensor low = bands.narrow(axis, 0, half), detail = bands.narrow(axis, half, half);
  at::Tensor out = at::zeros_like(bands);
  for (std::int64_t parity = 0; parity < 2; ++parity) {
    at::Tensor sum = at::zeros_like(low);
    for (std::int64_t k = parity; k < kTaps; k += 2) {
      const std::int64_t moved = k / 2;
      sum.add_(low.roll({moved}, {axis}), kLow[static_cast<std::size_t>(k)]);
      sum.add_(detail.roll({moved}, {axis}), high(k));
    }
    out.slice(axis, parity, out.size(axis), 2).copy_(sum);
  }
  return out;
}

void require_sides(const at::Tensor& x, std::int64_t levels) {
  RESEDA_REQUIRE(levels >= 1 && levels <= 16, Errc::kUsage, "wavelets need 1 to 16 levels, got ", levels);
  const std::int64_t unit = std::int64_t{1} << levels;
  RESEDA_REQUIRE(x.dim() >= 2 && x.size(-1) % unit == 0 && x.size(-2) % unit == 0, Errc::kUsage, "wavelets of ", levels,
                 " levels need sides that are multiples of ", unit, ", got ", x.sizes());
}

at::Tensor corner(const at::Tensor& x, std::int64_t level) {
  return x.narrow(-2, 0, x.size(-2) >> level).narrow(-1, 0, x.size(-1) >> level);
}

/// Up to a multiple of `unit`, by mirroring the end without repeating the last value; sides shorter than the mirror
/// repeat it.
at::Tensor lengthened(const at::Tensor& x, std::int64_t unit, std::int64_t axis) {
  const std::int64_t side = x.size(axis), more = (unit - side % unit) % unit;
  if (more == 0) return x;
  const at::Tensor place = (side - 2 - at::arange(more, at::kLong)).clamp_min(0);
  return at::cat({x, x.index_select(axis, place.to(x.device()))}, axis);
}

}  // namespace

at::Tensor wavelet_analysis(const at::Tensor& x, std::int64_t levels) {
  require_sides(x, levels);
  at::Tensor out = x.clone();
  for (std::int64_t level = 0; level < levels; ++level) {
    at::Tensor part = corner(out, level);
    part.copy_(halves(halves(part, -2), -1));
  }
  return out;
}

at::Tensor wavelet_synthesis(const at::Tensor& bands, std::int64_t levels) {
  require_sides(bands, levels);
  at::Tensor out = bands.clone();
  for (std::int64_t level = levels - 1; level >= 0; --level) {
    at::Tensor part = corner(out, level);
    part.copy_(joined(joined(part, -1), -2));
  }
  return out;
}

at::Tensor shrink_wavelets(const at::Tensor& x, double threshold, std::int64_t levels, std::int64_t down,
                           std::int64_t across) {
  if (x.is_complex())
    return at::complex(shrink_wavelets(at::real(x), threshold, levels, down, across),
                       shrink_wavelets(at::imag(x), threshold, levels, down, across));
  const std::int64_t unit = std::int64_t{1} << levels;
  const at::Tensor whole = lengthened(lengthened(x, unit, -2), unit, -1);
  at::Tensor bands = wavelet_analysis(whole.roll({down, across}, {-2, -1}), levels);
  const at::Tensor coarse = corner(bands, levels).clone();
  bands = shrink(bands, threshold);
  corner(bands, levels).copy_(coarse);
  const at::Tensor back = wavelet_synthesis(bands, levels).roll({-down, -across}, {-2, -1});
  return back.narrow(-2, 0, x.size(-2)).narrow(-1, 0, x.size(-1)).contiguous();
}

}  // namespace reseda::inverse
