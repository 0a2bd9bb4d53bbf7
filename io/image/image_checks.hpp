#pragma once

#include <cstdint>
#include <string>

#include "io/image/image.hpp"

namespace reseda::io::detail {

/// Sizes that a header claims.
struct ClaimedSize {
  std::int64_t width = 0, height = 0, channels = 0;
};

/// Refuses sizes of zero, of too many channels or of more samples than allowed. @throws Error{kInput}
void check_size(const ClaimedSize& size, const ImageLimits& limits, const std::string& name);

/// Refuses pixels that cannot come out of the file's bytes.
/// @param raw_bytes   what the decoder must produce
/// @param expansion   most bytes that one byte of the file can become
/// @param file_bytes  size of the file
/// @throws Error{kInput}
void check_plausible(const ClaimedSize& size, double raw_bytes, double expansion, std::size_t file_bytes,
                     const std::string& name);

/// Refuses NaN and infinite pixels. @throws Error{code} naming the first: row, column, channel
void check_finite(const at::Tensor& pixels, Errc code, const std::string& name);

}  // namespace reseda::io::detail
