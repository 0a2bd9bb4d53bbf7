#pragma once

#include <string>
#include <string_view>

#include "io/image/image.hpp"

namespace reseda::io::detail {

bool is_tiff(std::string_view bytes);

/// @throws Error{kInput} with `name`
Image decode_tiff(std::string_view bytes, const std::string& name, const ImageLimits& limits);

/// Chunky strips, uncompressed or Deflate with horizontal differencing of integers. Written here and not by libtiff so
/// that every tag is kept as it is.
/// @param image  values rounded and within the range of their type
/// @throws Error{kOutput} beyond 4 GiB
/// Source: TIFF 6.0, Adobe 1992; TIFF Technical Note 2, Adobe 2002, for Deflate.
std::string encode_tiff(const Image& image, TiffCompression compression, const std::string& provenance);

}  // namespace reseda::io::detail
