#pragma once

#include <cstdint>
#include <span>

#include "io/volume/dicom_frame.hpp"
#include "io/volume/dicom_pixels.hpp"
#include "io/volume/padding.hpp"

namespace reseda::io::detail {

/// Values of a frame: slope * stored + intercept, rounded to float32; of MONOCHROME1 stored is mirrored within its bits
/// first. @param padding  null: none @return whether any sample is padding
bool rescale(const Samples& samples, const DicomFrame& frame, const PixelFormat& format, const PixelPadding* padding,
             std::span<float> values);

/// What came up when a frame was quantised.
struct QuantisedFrame {
  std::int32_t smallest = 0, largest = 0;  ///< stored values
  std::int64_t clamped = 0;                ///< values outside what bits and scale can hold
  bool finite = true;                      ///< false: there are NaN or infinite values, and samples are meaningless
};

/// The inverse of rescale: stored = nearest integer (ties to even) of (value - intercept) / slope, set to the limits of
/// the bits where outside. @param padding  null, or what stays as it is in `source`, whatever the values are there
/// @param bytes  takes the samples, in little endian; its memory is used again
QuantisedFrame quantise(std::span<const float> values, const DicomFrame& frame, const PixelFormat& format,
                        const PixelPadding* padding, const Samples& source, std::string& bytes);

}  // namespace reseda::io::detail
