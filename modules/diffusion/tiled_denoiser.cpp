#include "modules/diffusion/tiled_denoiser.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "modules/core/error.hpp"

namespace reseda::diffusion {
namespace {

/// One tile: item of the batch and upper left corner.
struct Place {
  std::int64_t item, top, left;
};

/// 1, 2, ..., overlap, overlap + 1, ..., overlap + 1, overlap, ..., 1 over a tile, divided by overlap + 1.
at::Tensor ramp(std::int64_t tile, std::int64_t overlap) {
  const at::Tensor index = at::arange(tile, at::kFloat);
  return at::minimum(index + 1.0, static_cast<double>(tile) - index).clamp_max(static_cast<double>(overlap + 1)) /
         static_cast<double>(overlap + 1);
}

/// Continued by the last row and column up to a tile's size.
at::Tensor padded(const at::Tensor& image, std::int64_t tall, std::int64_t wide) {
  if (!image.defined() || (image.size(2) >= tall && image.size(3) >= wide)) return image;
  const std::int64_t bottom = std::max<std::int64_t>(tall - image.size(2), 0),
                     right = std::max<std::int64_t>(wide - image.size(3), 0);
  return at::replication_pad2d(image, {0, right, 0, bottom});
}

at::Tensor gathered(const at::Tensor& image, const std::vector<Place>& places, std::int64_t tall, std::int64_t wide) {
  if (!image.defined()) return {};
  std::vector<at::Tensor> tiles;
  for (const Place& place : places)
    tiles.push_back(image[place.item].narrow(1, place.top, tall).narrow(2, place.left, wide));
  return at::stack(tiles);
}

/// The tensors of estimates that are blended.
std::array<at::Tensor*, 6> parts(Estimates& e) {
  return {&e.x0, &e.eps, &e.residual, &e.variance_share, &e.unguided_x0, &e.guidance};
}

}  // namespace

void Tiling::validate() const {
  RESEDA_REQUIRE(multiple >= 1 && tile >= multiple && tile % multiple == 0, Errc::kUsage,
                 "tile must be a positive multiple of ", multiple, ", got ", tile);
  RESEDA_REQUIRE(overlap >= 0 && 2 * overlap <= tile, Errc::kUsage, "overlap must be 0 to half a tile (", tile,
                 "), got ", overlap);
  RESEDA_REQUIRE(pixels >= 1, Errc::kUsage, "pixels of one call must be at least 1, got ", pixels);
}

TileCut cut_axis(std::int64_t size, const Tiling& tiling) {
  const auto up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t count = size <= tiling.tile ? 1 : up(size - tiling.overlap, tiling.tile - tiling.overlap);
  TileCut cut;
  cut.tile = up(up(size + (count - 1) * tiling.overlap, count), tiling.multiple) * tiling.multiple;
  const std::int64_t slack = std::max<std::int64_t>(size - cut.tile, 0);
  for (std::int64_t i = 0; i < count; ++i) cut.starts.push_back(count == 1 ? 0 : slack * i / (count - 1));
  return cut;
}

Estimates TiledDenoiser::operator()(const at::Tensor& x, double t, const Condition& condition) const {
  const std::int64_t height = x.size(2), width = x.size(3);
  const TileCut rows = cut_axis(height, tiling_), columns = cut_axis(width, tiling_);
  std::vector<Place> places;
  for (std::int64_t item = 0; item < x.size(0); ++item)
    for (const std::int64_t top : rows.starts)
      for (const std::int64_t left : columns.starts) places.push_back({item, top, left});

  const at::Tensor state = padded(x, rows.tile, columns.tile);
  const Condition whole{.y = padded(condition.y, rows.tile, columns.tile),
                        .extra = padded(condition.extra, rows.tile, columns.tile),
                        .x0_before = padded(condition.x0_before, rows.tile, columns.tile)};
  const at::Tensor weight =
      (ramp(rows.tile, tiling_.overlap).unsqueeze(1) * ramp(columns.tile, tiling_.overlap)).to(x.device());
  at::Tensor total = at::zeros({state.size(2), state.size(3)}, x.options());
  for (const std::int64_t top : rows.starts)
    for (const std::int64_t left : columns.starts)
      total.narrow(0, top, rows.tile).narrow(1, left, columns.tile).add_(weight);

  const std::int64_t fitting = std::max<std::int64_t>(tiling_.pixels / (rows.tile * columns.tile), 1);
  const std::size_t batch = std::min(static_cast<std::size_t>(fitting), places.size());
  Estimates out;
  for (std::size_t first = 0; first < places.size(); first += batch) {
    std::vector<Place> some;
    for (std::size_t i = 0; i < batch; ++i) some.push_back(places[std::min(first + i, places.size() - 1)]);
    Estimates found = inner_(gathered(state, some, rows.tile, columns.tile), t,
                             {.y = gathered(whole.y, some, rows.tile, columns.tile),
                              .extra = gathered(whole.extra, some, rows.tile, columns.tile),
                              .x0_before = gathered(whole.x0_before, some, rows.tile, columns.tile)});
    for (std::size_t p = 0; p < parts(found).size(); ++p) {
      const at::Tensor& tiles = *parts(found)[p];
      if (!tiles.defined()) continue;
      at::Tensor& sum = *parts(out)[p];
      if (!sum.defined()) sum = at::zeros({x.size(0), tiles.size(1), state.size(2), state.size(3)}, tiles.options());
      for (std::size_t i = 0; i < some.size() && first + i < places.size(); ++i)
        sum[some[i].item]
            .narrow(1, some[i].top, rows.tile)
            .narrow(2, some[i].left, columns.tile)
            .add_(tiles[static_cast<std::int64_t>(i)] * weight);
    }
  }
  for (at::Tensor* part : parts(out))
    if (part->defined()) *part = (*part / total).narrow(2, 0, height).narrow(3, 0, width);
  return out;
}

}  // namespace reseda::diffusion
