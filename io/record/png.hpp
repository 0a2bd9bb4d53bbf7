#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace reseda::io {

enum class PngColor { kGray, kRgb };

/// Encodes 8-bit pixels, rows from the top, as a PNG file (filter chosen per row by the smallest sum of absolute
/// differences, zlib level 6).
/// @param pixels  height x width x channels bytes
/// @throws Error{kInternal} if the sizes do not fit each other or a side is 0 or above 65535
/// Source: PNG specification, W3C 2003 (ISO/IEC 15948).
std::string encode_png(std::span<const std::uint8_t> pixels, std::size_t width, std::size_t height, PngColor color);

}  // namespace reseda::io
