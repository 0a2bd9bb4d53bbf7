#pragma once

#include <string>
#include <string_view>

#include "io/volume/dicom_pixels.hpp"

namespace reseda::io::detail {

/// While it lives, GDCM prints no warnings: a library of ours prints nothing. For one thread at a time, around others.
class QuietGdcm {
 public:
  QuietGdcm();
  ~QuietGdcm();
  QuietGdcm(const QuietGdcm&) = delete;
  QuietGdcm& operator=(const QuietGdcm&) = delete;

 private:
  bool warnings_, errors_;
};

/// One frame of RLE, JPEG, JPEG-LS or JPEG 2000 as plain little-endian samples.
/// The sizes that the codestream itself announces are compared with `format` before it is decoded.
/// @throws Error{kInput} with `name`
std::string decode_frame(std::string_view codestream, const PixelFormat& format, const std::string& transfer_syntax,
                         const std::string& name);

/// One frame without loss. @param transfer_syntax  of RLE, JPEG-LS or JPEG 2000 (transfer_syntax::kRle, ...)
/// @throws Error{kOutput} if GDCM cannot
std::string encode_frame(const std::string& samples, const PixelFormat& format, const std::string& transfer_syntax);

}  // namespace reseda::io::detail
