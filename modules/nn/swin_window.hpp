#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::nn {

/// Which pixels of a window may attend to each other after the map was moved, so that windows at its edge hold pixels
/// from both sides.
enum class WindowMask {
  kResshift,  ///< in the last row of windows the left part and the right part are apart; elsewhere all may attend
  kSwin       ///< pixels that were not neighbours before the move are apart: last row, last column and corner
};

/// The map cut into windows of side x side, row by row, and the pixels of each row by row.
/// @param x  [B,C,H,W], H and W multiples of `side`   @return [B,H/side,W/side,side^2,C]
at::Tensor to_windows(const at::Tensor& x, std::int64_t side);

/// The map of which to_windows() made these, with the channels last in memory.
at::Tensor from_windows(const at::Tensor& windows, std::int64_t side);

/// For a pair of pixels in a window the place of their offset (dy, dx) in a table of all offsets, row by row:
///   (dy + side - 1) (2 side - 1) + dx + side - 1.
/// @return  [N,N] int64, N = side^2, the first axis the pixel that asks
at::Tensor relative_positions(std::int64_t side, c10::Device device);

/// Where a window lies.
struct WindowPlace {
  bool last_row = false, last_column = false;
};

/// Which pairs of pixels in a window may attend after the map was moved up and left by `shift`.
/// Quirk: kResshift is what official code makes, which meant kSwin: its map of regions is laid out [1,1,H,W] and filled
/// as if it were [1,H,W,1], so that it depends on the row alone, and each of its windows is transposed.
/// @return  [N,N] bool, N = side^2
/// Source of kSwin: Liu et al. 2021, "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", 3.2.
/// Official: zsyOAOA/ResShift, models/swin_transformer.py, calculate_mask.
at::Tensor allowed_pairs(WindowMask mask, std::int64_t side, std::int64_t shift, WindowPlace place, c10::Device device);

}  // namespace reseda::nn
