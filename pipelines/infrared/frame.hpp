#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "io/image/image.hpp"

namespace reseda::infrared {

/// The values of a file that become -1 and 1: v' = 2 (v - low) / (high - low) - 1. Never a limit: values outside lie
/// beyond -1 and 1 and come back.
struct ValueRange {
  double low = 0, high = 255;
  double span() const { return high - low; }
};

/// "LOW:HIGH". @throws Error{kUsage} unless LOW is below HIGH
ValueRange parse_range(const std::string& text);

/// The range of a frame that fits its own contents: from the least to the greatest value, but at most the span between
/// the 0.1th and the 99.9th percentile beyond these, so that a dead pixel does not squeeze the scene. A constant frame
/// v gets v - 1 to v + 1.
/// @param values  [..] float32, at least one
ValueRange robust_range(const at::Tensor& values);

/// The range by which a frame is read: 0 to 255 for unsigned 8-bit samples, which networks are trained on, else
/// robust_range.
ValueRange natural_range(const io::Image& image);

/// A thermal frame as upscalers see it, with what is needed to write it again.
struct Frame {
  at::Tensor pixels;  ///< [1,1,H,W] float32, of which -1 and 1 are `range`
  ValueRange range;
  at::Tensor alpha;           ///< [1,1,H,W] float32 in the file's units; undefined without
  std::int64_t channels = 1;  ///< of the file, without alpha: 1, or 3 equal ones
  io::Image form;             ///< type, depth and metadata of the file, without pixels

  std::int64_t height() const { return pixels.size(2); }
  std::int64_t width() const { return pixels.size(3); }
};

/// Takes grey of one channel or of three equal ones, each with or without alpha. The map to the range is affine and one
/// for the whole frame; 8 and 16-bit values come back exactly from frame_image, floats to 2^-22 of the span.
/// @param name  for messages
/// @throws Error{kInput} where channels differ, as in pictures with a palette of colours, which hold no temperatures;
///         on two or more bands
Frame make_frame(const io::Image& image, const ValueRange& range, const std::string& name);

/// The image of a frame enlarged: in the file's units, type, depth and channels, its metadata with the size of pixels
/// adapted. Values are not clipped here: what writes the file rounds (halves to even), clips and counts.
/// @param pixels  [1,1,aH,aW] float32
/// @param alpha   the same size, in the file's units; defined where frame.alpha is
io::Image frame_image(const Frame& frame, const at::Tensor& pixels, const at::Tensor& alpha);

}  // namespace reseda::infrared
