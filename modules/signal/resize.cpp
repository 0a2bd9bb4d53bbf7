#include "modules/signal/resize.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::signal {
namespace {

/// The table as tensors: per tap, which rows to take and what they weigh.
struct Taps {
  at::Tensor index, weight;  ///< [taps, out], int64 and float64
};

Taps taps_of(const AxisWeights& weights, const at::Device& device) {
  const auto rows = static_cast<std::int64_t>(weights.index.size()) / weights.taps;
  return {at::tensor(weights.index).view({rows, weights.taps}).t().contiguous().to(device),
          at::tensor(weights.weight, at::kDouble).view({rows, weights.taps}).t().contiguous().to(device)};
}

/// sum over taps of weight x[index] along rows (axis -2).
at::Tensor weighted_sum(const at::Tensor& x, const Taps& taps, at::Tensor sum) {
  for (std::int64_t k = 0; k < taps.index.size(0); ++k)
    sum = sum + x.index_select(-2, taps.index[k]) * taps.weight[k].unsqueeze(1);
  return sum;
}

at::Tensor zeros_like_output(const at::Tensor& x, std::int64_t rows, at::ScalarType type) {
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape[shape.size() - 2] = rows;
  return at::zeros(shape, x.options().dtype(type));
}

/// Rows of an image of floats.
at::Tensor resized_rows(const at::Tensor& x, const Taps& taps) {
  const at::Tensor zero = zeros_like_output(x, taps.index.size(1), at::kDouble);
  return weighted_sum(x.to(at::kDouble), taps, zero).to(x.scalar_type());
}

/// Rows of an image of bytes, in Pillow's fixed point.
at::Tensor resized_byte_rows(const at::Tensor& x, const Taps& taps) {
  constexpr double kOne = 1 << 22;
  const at::Tensor fixed = taps.weight * kOne;
  const Taps whole = {taps.index, (fixed + at::copysign(at::full_like(fixed, 0.5), fixed)).trunc().to(at::kLong)};
  const at::Tensor half = zeros_like_output(x, taps.index.size(1), at::kLong) + (1 << 21);
  return at::floor_divide(weighted_sum(x.to(at::kLong), whole, half), 1 << 22).clamp(0, 255).to(at::kByte);
}

at::Tensor resized(const at::Tensor& x, const std::string& kernel, const ResizeAxis& axis) {
  if (axis.in == axis.out && axis.step == 1.0) return x;
  const Taps taps = taps_of(axis_weights(kernel, axis), x.device());
  return x.scalar_type() == at::kByte ? resized_byte_rows(x, taps) : resized_rows(x, taps);
}

}  // namespace

at::Tensor resize(const at::Tensor& x, std::int64_t height, std::int64_t width, const std::string& kernel,
                  std::optional<double> scale) {
  axis_weights(kernel, {1, 1, 1.0, true});  // refuses an unknown name whatever the sizes
  const bool bytes = x.scalar_type() == at::kByte;
  RESEDA_REQUIRE(x.dim() >= 2 && x.numel() > 0, Errc::kInput, "resize: expected an image [.., H, W], got ", x.sizes());
  RESEDA_REQUIRE(x.is_floating_point() || (bytes && kernel.starts_with("pillow_")), Errc::kInput, "resize: ", kernel,
                 " does not take pixels of type ", x.toString());
  RESEDA_REQUIRE(height >= 1 && width >= 1, Errc::kUsage, "resize: height and width must be >= 1, got ", height,
                 " and ", width);
  RESEDA_REQUIRE(!scale || (*scale > 0 && std::isfinite(*scale)), Errc::kUsage, "resize: scale must be > 0, got ",
                 scale.value_or(0));
  const auto fits = [&](std::int64_t in, std::int64_t out) {
    return std::abs(static_cast<double>(in) * *scale - static_cast<double>(out)) < 1;
  };
  RESEDA_REQUIRE(!scale || (fits(x.size(-2), height) && fits(x.size(-1), width)), Errc::kUsage, "resize: scale ",
                 scale.value_or(0), " does not lead from ", x.sizes(), " to ", height, " x ", width);
  const auto axis = [&](std::int64_t in, std::int64_t out) {
    return ResizeAxis{in, out, scale ? 1.0 / *scale : static_cast<double>(in) / static_cast<double>(out), false};
  };
  ResizeAxis rows = axis(x.size(-2), height), columns = axis(x.size(-1), width);
  rows.both_shrink = columns.both_shrink = rows.step >= 1.0 && columns.step >= 1.0;
  const at::Tensor narrow = resized(x.transpose(-1, -2).contiguous(), kernel, columns).transpose(-1, -2).contiguous();
  return resized(narrow, kernel, rows);
}

}  // namespace reseda::signal
