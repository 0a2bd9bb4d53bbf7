#pragma once

#include <string>
#include <string_view>

#include "io/image/image.hpp"

namespace reseda::io::detail {

bool is_jpeg(std::string_view bytes);

/// @throws Error{kInput} with `name`
Image decode_jpeg(std::string_view bytes, const std::string& name, const ImageLimits& limits);

/// @param image  values rounded and within the range of their type
/// @throws Error{kOutput} on what JPEG cannot hold
std::string encode_jpeg(const Image& image, int quality, const std::string& provenance);

}  // namespace reseda::io::detail
