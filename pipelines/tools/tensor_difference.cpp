#include "pipelines/tools/tensor_difference.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "modules/core/error.hpp"
#include "pipelines/common/signals.hpp"

namespace reseda::tools {
namespace {

constexpr std::int64_t kPiece = 1 << 20;  ///< values compared at once, so that double copies stay small

at::Tensor flat(const at::Tensor& tensor) {
  return tensor.detach().resolve_conj().resolve_neg().contiguous().view({-1});
}

/// A piece in double precision, real or complex.
at::Tensor widened(const at::Tensor& piece) {
  return piece.to(at::isComplexType(piece.scalar_type()) ? at::kComplexDouble : at::kDouble);
}

bool same_bytes(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == b.scalar_type() &&
         (a.nbytes() == 0 || std::memcmp(a.data_ptr(), b.data_ptr(), a.nbytes()) == 0);
}

/// Elements whose values differ, NaN being equal to NaN.
at::Tensor unequal(const at::Tensor& a, const at::Tensor& b, const at::Tensor& wide_a, const at::Tensor& wide_b) {
  const auto wide_integer = [](const at::Tensor& t) {
    return t.scalar_type() == at::kLong || t.scalar_type() == at::kUInt64;
  };
  if (a.scalar_type() == b.scalar_type() && wide_integer(a)) return a.view(at::kLong) != b.view(at::kLong);
  return (wide_a != wide_b).logical_and((wide_a.isnan().logical_and(wide_b.isnan())).logical_not());
}

}  // namespace

TensorDifference difference_of(const at::Tensor& a, const at::Tensor& b, const Tolerance& tolerance) {
  RESEDA_INVARIANT(a.sizes() == b.sizes());
  const at::Tensor flat_a = flat(a), flat_b = flat(b);
  TensorDifference out;
  if (same_bytes(flat_a, flat_b)) return out;
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  for (std::int64_t begin = 0; begin < flat_a.numel(); begin += kPiece) {
    app::throw_if_stopped();
    const std::int64_t length = std::min(kPiece, flat_a.numel() - begin);
    const at::Tensor piece_a = flat_a.narrow(0, begin, length), piece_b = flat_b.narrow(0, begin, length);
    if (same_bytes(piece_a, piece_b)) continue;
    const at::Tensor wide_a = widened(piece_a), wide_b = widened(piece_b);
    const at::Tensor other = unequal(piece_a, piece_b, wide_a, wide_b);
    if (!other.any().item<bool>()) continue;
    // Only what is unequal counts, so that inf - inf and NaN - NaN are no differences.
    const at::Tensor moved = at::where(other, (wide_a - wide_b).abs().nan_to_num(kInfinite, kInfinite), 0.0);
    const at::Tensor greater = at::maximum(wide_a.abs(), wide_b.abs());
    const at::Tensor ratio = (moved / greater).nan_to_num(1.0, 1.0).masked_fill(other.logical_not(), 0.0);
    const double largest = moved.max().item<double>();
    if (largest > out.largest || out.at < 0) {
      out.largest = std::max(out.largest, largest);
      out.at = begin + moved.argmax().item<std::int64_t>();
    }
    out.relative = std::max(out.relative, ratio.max().item<double>());
    const at::Tensor allowed = wide_b.abs() * tolerance.relative + tolerance.absolute;
    const at::Tensor beyond =
        tolerance.exact() ? other : other.logical_and(moved.le(allowed.nan_to_num(0.0, 0.0)).logical_not());
    out.differing += beyond.sum().item<std::int64_t>();
  }
  return out;
}

}  // namespace reseda::tools
