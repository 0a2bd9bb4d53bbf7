#pragma once

#include <string>
#include <string_view>

#include "io/image/image.hpp"

namespace reseda::io::detail {

/// Binary PGM (P5) or PPM (P6).
bool is_pnm(std::string_view bytes);

/// @throws Error{kInput} with `name`
Image decode_pnm(std::string_view bytes, const std::string& name, const ImageLimits& limits);

/// @param image  values rounded and within the range of their type
/// @throws Error{kOutput} on what these formats cannot hold
/// Source: netpbm, "PGM Format Specification" and "PPM Format Specification": 16-bit samples have their high byte
/// first.
std::string encode_pnm(const Image& image);

}  // namespace reseda::io::detail
