#include "pipelines/medical/evaluation/slice_picture.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "io/record/png.hpp"
#include "pipelines/common/score_text.hpp"

namespace reseda::medical {
namespace {

/// Rows or columns, repeated to this many.
at::Tensor stretched(const at::Tensor& slice, std::int64_t axis, double factor) {
  const std::int64_t size = slice.size(axis), wanted = std::min<std::int64_t>(4096, std::llround(factor * size));
  if (wanted <= size) return slice;
  const at::Tensor place = (at::arange(wanted, at::kDouble) + 0.5) * (static_cast<double>(size) / wanted);
  return slice.index_select(axis, place.floor().to(at::kLong).clamp(0, size - 1));
}

}  // namespace

std::string GrayWindow::text(const std::string& unit) const {
  const int decimals = high - low < 10 ? 2 : 0;
  return app::fixed_text(low, decimals) + " to " + app::fixed_text(high, decimals) + (unit.empty() ? "" : " " + unit);
}

std::string slice_png(const at::Tensor& slice, const GrayWindow& window, const std::array<double, 2>& spacing) {
  at::Tensor gray = at::nan_to_num((slice.to(at::kDouble) - window.low) / (window.high - window.low), 0.0);
  gray = stretched(stretched(gray, 0, spacing[0] / spacing[1]), 1, spacing[1] / spacing[0]);
  const at::Tensor pixels = (gray.clamp(0.0, 1.0) * 255).round().to(at::kByte).contiguous();
  return io::encode_png({pixels.const_data_ptr<std::uint8_t>(), static_cast<std::size_t>(pixels.numel())},
                        static_cast<std::size_t>(pixels.size(1)), static_cast<std::size_t>(pixels.size(0)),
                        io::PngColor::kGray);
}

}  // namespace reseda::medical
