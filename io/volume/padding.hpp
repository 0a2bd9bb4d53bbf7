#pragma once

#include <algorithm>
#include <optional>

#include "io/volume/dicom_pixels.hpp"
#include "io/volume/dicom_tags.hpp"

namespace reseda::io::detail {

/// Stored values that mean "no image here" (PS3.3 section C.7.5.1.1.2): PixelPaddingValue up to PixelPaddingRangeLimit.
struct PixelPadding {
  std::int32_t low = 0, high = 0;
  bool holds(std::int32_t stored) const { return (stored >= low) & (stored <= high); }
};

inline std::optional<PixelPadding> read_padding(const DicomFile& file, const PixelFormat& format) {
  auto value = file.dataset.number(tags::kPixelPaddingValue);
  if (!value) return std::nullopt;
  double limit = file.dataset.number(tags::kPixelPaddingRangeLimit).value_or(*value);
  // Some scanners write -2000 of signed pixels as an unsigned 63536.
  if (format.is_signed && *value > 32767) *value -= 65536;
  if (format.is_signed && limit > 32767) limit -= 65536;
  const double low = std::max<double>(std::min(*value, limit), format.lowest());
  const double high = std::min<double>(std::max(*value, limit), format.highest());
  if (low > high) return std::nullopt;
  return PixelPadding{static_cast<std::int32_t>(low), static_cast<std::int32_t>(high)};
}

}  // namespace reseda::io::detail
