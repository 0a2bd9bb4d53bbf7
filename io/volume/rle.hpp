#pragma once

#include <string>
#include <string_view>

#include "io/volume/dicom_pixels.hpp"

namespace reseda::io::detail {

/// DICOM's run-length encoding (PS3.5 annex G): byte planes, the most significant first, each row packed as PackBits.
/// @param samples  one frame, little endian
std::string encode_rle(std::string_view samples, const PixelFormat& format);

/// @throws Error{kInput} with `name`: cut short, other than the format says
std::string decode_rle(std::string_view stream, const PixelFormat& format, const std::string& name);

}  // namespace reseda::io::detail
