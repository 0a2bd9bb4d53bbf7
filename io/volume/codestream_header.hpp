#pragma once

#include <string>
#include <string_view>

#include "io/volume/dicom_pixels.hpp"

namespace reseda::io::detail {

/// Compares what a JPEG, JPEG-LS or JPEG 2000 codestream announces (size, one component, bits) with the format, so that
/// a decoder never meets sizes that its caller did not allow for; and with the codestream's bytes, so that a small file
/// cannot keep it busy: a byte stands for 8 lines of 32768 pixels at most in JPEG-LS, for 8 pixels in lossless JPEG and
/// for 512 in JPEG. JPEG 2000 has no such limit.
/// @return bits of a sample in the codestream @throws Error{kInput} with `name`
int check_codestream(std::string_view codestream, const PixelFormat& format, const std::string& name);

/// A JPEG codestream without the segments that a grey image does not need (applications' data, comments, fill bytes).
/// GDCM ends the program at some that it does not expect. @throws Error{kInput} at unknown segments before the first
/// scan
std::string bare_jpeg(std::string_view codestream, const std::string& name);

/// A JPEG-LS codestream with an end marker after it, which stops a decoder where its own is missing: at the bare end of
/// its bytes CharLS 2.4 may read 2^31 zeros, bit by bit, before it gives up.
std::string closed_jpeg(std::string_view codestream);

}  // namespace reseda::io::detail
