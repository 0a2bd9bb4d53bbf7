#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace reseda::signal {

/// How official super-resolution code cuts large images.
struct Chop {
  std::int64_t size = 512;    ///< side of a tile
  std::int64_t stride = 448;  ///< from one tile to the next
};

/// Starts of the tiles of an axis: 0, stride, 2 stride, ... below its length, those whose tile would reach beyond the
/// end moved back to it, each start once. One tile where the axis is no longer than a tile.
/// @throws Error{kUsage} unless 1 <= stride <= size
std::vector<std::int64_t> chop_starts(std::int64_t length, const Chop& chop);

/// Maps an image by tiles, row by row, and averages what overlaps with equal weights: seams show where tiles differ.
/// @param x      [B,C,H,W]
/// @param scale  by which the call enlarges a tile
/// @param call   tile [B,C,h,w] -> [B,C',scale h,scale w]   @return [B,C',scale H,scale W]
/// @throws Error{kInternal} where the call returns another size
/// Official: zsyOAOA/ResShift, utils/util_image.py, ImageSpliterTh.
at::Tensor by_chops(const at::Tensor& x, const Chop& chop, std::int64_t scale,
                    const std::function<at::Tensor(const at::Tensor& tile)>& call);

}  // namespace reseda::signal
