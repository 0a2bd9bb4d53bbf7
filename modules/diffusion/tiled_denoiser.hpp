#pragma once

#include <cstdint>
#include <vector>

#include "modules/diffusion/denoiser.hpp"

namespace reseda::diffusion {

/// How an image is cut into tiles of one size.
struct Tiling {
  std::int64_t tile = 128;    ///< longest side of a tile, a multiple of `multiple`
  std::int64_t overlap = 16;  ///< least overlap of neighbours
  std::int64_t multiple = 8;  ///< the sides of a tile are multiples of this
  /// Most pixels of one call, which decides how many tiles it takes; the last call is filled up with repetitions.
  std::int64_t pixels = 65536;
  /// @throws Error{kUsage}
  void validate() const;
};

/// The cut of one axis: as few tiles as fit, as even as can be. It depends on the size alone.
struct TileCut {
  std::int64_t tile = 0;                  ///< side; beyond the axis where that is smaller or no multiple
  std::vector<std::int64_t> starts = {};  ///< ascending; the last tile ends with the axis where that is longer
};
TileCut cut_axis(std::int64_t size, const Tiling& tiling);

/// Estimates of another denoiser by tiles, blended by weights that fall off linearly across the overlaps: bounded
/// memory, and a network sees fields of the size that it was trained on. Images smaller than a tile are continued by
/// their last row and column. Same bytes for any number of threads of the caller.
class TiledDenoiser final : public Denoiser {
 public:
  TiledDenoiser(const Denoiser& inner, Tiling tiling) : inner_(inner), tiling_(tiling) { tiling.validate(); }
  /// @param x  [B,C,H,W]
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override;

 private:
  const Denoiser& inner_;
  Tiling tiling_;
};

}  // namespace reseda::diffusion
