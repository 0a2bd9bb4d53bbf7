#pragma once

#include <string>
#include <string_view>

#include "io/volume/dicom_pixels.hpp"

namespace reseda::io::detail {

/// Compares what a JPEG, JPEG-LS or JPEG 2000 codestream announces (size, one component, bits) with the format, so that
/// a decoder never meets sizes that its caller did not allow for.
/// @return bits of a sample in the codestream @throws Error{kInput} with `name`
int check_codestream(std::string_view codestream, const PixelFormat& format, const std::string& name);

/// A JPEG codestream without the segments that a grey image does not need (applications' data, comments, fill bytes).
/// GDCM ends the program at some that it does not expect. @throws Error{kInput} at unknown segments before the first
/// scan
std::string bare_jpeg(std::string_view codestream, const std::string& name);

}  // namespace reseda::io::detail
