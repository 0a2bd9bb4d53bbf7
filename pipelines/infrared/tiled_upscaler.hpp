#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "modules/diffusion/tiled_denoiser.hpp"
#include "pipelines/infrared/upscaler.hpp"

namespace reseda::infrared {

/// A network on tiles of one size: low [N,1,h,w] float32 and noise [N,1,s h,s w], standard normal and undefined for
/// networks that draw none, to [N,1,s h,s w]; s is the scale.
using TileNetwork = std::function<at::Tensor(const at::Tensor& low, const at::Tensor& noise)>;

/// What an upscaler must know of its network.
struct TileNetworkTraits {
  std::int64_t scale = 4;
  bool draws_noise = false;
  std::int64_t multiple = 1;  ///< that sides of tiles must be of
  /// Pixels at a tile's edge, in pixels of `low`, that are thrown away where the frame goes on. Where the network's
  /// receptive field reaches no further, tiles are the whole frame exactly.
  std::int64_t margin = 8;
  std::int64_t blend = 8;             ///< pixels of `low` over which neighbours are blended
  std::int64_t preferred_tile = 128;  ///< longest side of a tile where memory allows it
  std::int64_t bytes_per_pixel = 0;   ///< most memory of a call, by pixels of `low` in it
};

/// Tiles for a budget: the preferred side halved until one tile fits, and as many to a call as fit, up to 16384 pixels.
/// @param tile   side asked for; 0 chooses it
/// @param bytes  that a call may take
/// @throws Error{kUsage} where `tile`, or the smallest that can be, does not fit
diffusion::Tiling choose_tiling(const TileNetworkTraits& network, std::int64_t tile, std::int64_t bytes);

/// The weight of a tile's pixels along one axis: 0 over the margin, then rising as sin^2 over the blend, 1 inside; at
/// the frame's own edges 1 throughout.
/// @param side    pixels of the tile   @param margin, blend  in the same pixels
/// @param first, last  whether the tile begins and ends the axis
at::Tensor blend_window(std::int64_t side, std::int64_t margin, std::int64_t blend, bool first, bool last);

/// A network applied tile by tile. All calls have one shape (the last is filled up with repetitions), one field of
/// noise covers the frame, and neighbouring tiles are blended, so that neither seams nor the grouping of tiles show.
/// Values beyond -1 and 1, which networks do not know, go around it: they are interpolated and added. Frames smaller
/// than a tile's multiple are continued by their last row and column. Draws: (item, "prior", sample), the whole field.
class TiledUpscaler final : public Upscaler {
 public:
  TiledUpscaler(TileNetwork network, TileNetworkTraits traits, diffusion::Tiling tiling);
  std::int64_t scale() const override { return traits_.scale; }
  bool draws_noise() const override { return traits_.draws_noise; }
  bool adds_detail() const override { return true; }
  at::Tensor run(const at::Tensor& low, const UpscaleContext& context) const override;
  std::int64_t working_bytes(std::int64_t height, std::int64_t width) const override;

 private:
  struct Axis;
  Axis cut(std::int64_t size) const;
  at::Tensor blended(const at::Tensor& low, const at::Tensor& noise, const Axis& rows, const Axis& columns,
                     const UpscaleContext& context) const;

  TileNetwork network_;
  TileNetworkTraits traits_;
  diffusion::Tiling tiling_;
};

}  // namespace reseda::infrared
