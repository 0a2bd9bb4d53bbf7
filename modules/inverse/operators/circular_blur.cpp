#include "modules/inverse/operators/circular_blur.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

constexpr const char* kName = "blur";
constexpr double kRankTolerance = 1e-6;
const double kRoot2 = std::sqrt(2.0);

}  // namespace

CircularBlur::CircularBlur(const ImageShape& shape, const at::Tensor& kernel, double singular_cut)
    : shape_(shape), filter_(shape.height, shape.width) {
  const std::int64_t h = shape.height, w = shape.width, half = w / 2 + 1;
  at::Tensor transfer = transfer_function(kernel, h, w);
  at::Tensor magnitude = transfer.abs();
  const double floor = std::max(singular_cut, kRankTolerance * magnitude.max().item<double>());
  const at::Tensor kept = magnitude >= floor;
  RESEDA_REQUIRE(floor > 0 && kept.any().item<bool>(), Errc::kUsage, "operator.singular_cut ", singular_cut,
                 " leaves nothing of the blur");
  transfer = at::where(kept, transfer, at::zeros_like(transfer));
  magnitude = at::where(kept, magnitude, at::zeros_like(magnitude));
  const at::Tensor phase = at::where(kept, transfer / magnitude, at::ones_like(transfer));
  const at::Tensor inverse = at::where(kept, transfer.reciprocal(), at::zeros_like(transfer));
  forward_ = transfer.slice(1, 0, half);
  inverse_ = inverse.slice(1, 0, half);
  phase_ = phase.slice(1, 0, half);

  const at::Tensor i = at::arange(h, at::kLong).unsqueeze(1), j = at::arange(w, at::kLong).unsqueeze(0);
  const at::Tensor mirror = (at::remainder(-i, h) * w + at::remainder(-j, w)).flatten();
  const at::Tensor place = at::arange(h * w, at::kLong);
  alone_ = place.masked_select(mirror == place);
  first_ = place.masked_select(mirror > place);
  second_ = mirror.index_select(0, first_);
  singulars_ = magnitude.flatten().index_select(0, at::cat({alone_, first_, first_})).repeat({shape.channels});
}

at::Tensor CircularBlur::filter(const at::Tensor& x, const at::Tensor& transfer) const {
  shape_.require(x, kName);
  return filter_(x, transfer);
}

at::Tensor CircularBlur::apply(const at::Tensor& x) const { return filter(x, forward_); }
at::Tensor CircularBlur::adjoint(const at::Tensor& y) const { return filter(y, forward_.conj()); }
at::Tensor CircularBlur::pseudo_inverse(const at::Tensor& y) const { return filter(y, inverse_); }

at::Tensor CircularBlur::vt(const at::Tensor& x) const {
  shape_.require(x, kName);
  const at::Tensor spectrum = at::fft_fft2(x, {}, {-2, -1}, "ortho").flatten(2);
  const at::Tensor pairs = kRoot2 * spectrum.index_select(2, first_.to(x.device()));
  return at::cat({at::real(spectrum.index_select(2, alone_.to(x.device()))), at::real(pairs), at::imag(pairs)}, 2)
      .flatten(1);
}

at::Tensor CircularBlur::v(const at::Tensor& coefficients) const {
  const std::int64_t items = coefficients.size(0), pairs = first_.size(0);
  const at::Tensor planes = coefficients.reshape({items, shape_.channels, shape_.pixels()});
  const auto parts = planes.split_with_sizes({alone_.size(0), pairs, pairs}, 2);
  const at::Tensor values = at::complex(parts[1].contiguous(), parts[2].contiguous()) / kRoot2;
  const at::Tensor order = at::argsort(at::cat({alone_, first_, second_})).to(coefficients.device());
  const at::Tensor spectrum = at::cat({parts[0].to(values.scalar_type()), values, values.conj()}, 2);
  const at::Tensor grid = spectrum.index_select(2, order).reshape(shape_.batch(items));
  return at::real(at::fft_ifft2(grid, {}, {-2, -1}, "ortho"));
}

at::Tensor CircularBlur::ut(const at::Tensor& y) const { return vt(filter(y, phase_.conj())); }
at::Tensor CircularBlur::u(const at::Tensor& coefficients) const { return filter(v(coefficients), phase_); }

}  // namespace reseda::inverse
