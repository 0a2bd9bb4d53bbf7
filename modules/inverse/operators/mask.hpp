#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace reseda::inverse {

/// Masks of pixels: [H,W] float64, 1 where a pixel is measured and 0 where it is missing. The same config gives the
/// same mask on every machine.
struct MaskConfig {
  std::string kind = "box";
  std::vector<std::int64_t> box = {};
  double missing = 0.2;
  std::int64_t seed = 0;
  template <class V>
  void fields(V& v) {
    v("kind", kind, "box: one hole; random: single pixels; strokes: free-form brush strokes");
    v("box", box, "top, left, height, width of the hole; empty: half of each side, centred");
    v("missing", missing, "share of missing pixels, random: rounded to a whole number of pixels; strokes: at least");
    v("seed", seed, "of the pixels or strokes");
  }
  void validate() const;
};

/// @throws Error{kUsage} where the box is not inside of the image, or nothing is measured
at::Tensor make_mask(const MaskConfig& config, std::int64_t height, std::int64_t width);

/// One hole, [top, top + rows) x [left, left + columns).
at::Tensor box_mask(std::int64_t height, std::int64_t width, at::IntArrayRef box);
/// round(missing H W) missing pixels, uniformly without replacement. Draws: Chooser(seed, "mask", "random").
at::Tensor random_mask(std::int64_t height, std::int64_t width, double missing, std::uint64_t seed);
/// Strokes of a round brush until at least the share is missing: each starts anywhere in any direction, is 1 to 5
/// segments of S/16 .. S/4 pixels that turn by up to a quarter circle, and is S/32 .. S/10 wide, S the shorter side.
/// The last segment may overshoot. Draws: Chooser(seed, "mask", "strokes").
/// After: Yu et al. 2019, "Free-Form Image Inpainting with Gated Convolution", Alg. 1.
at::Tensor stroke_mask(std::int64_t height, std::int64_t width, double missing, std::uint64_t seed);

/// Masks as RED-diff stores them: bits in the order [N, n], the highest of a byte first (numpy's packbits).
/// @param packed  [ceil(N n / 8)] uint8   @return [N,n] uint8, 0 and 1
/// @throws Error{kInput} where the bytes do not fit the shape
at::Tensor unpack_masks(const at::Tensor& packed, at::IntArrayRef shape);

}  // namespace reseda::inverse
