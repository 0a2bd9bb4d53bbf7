#include "pipelines/infrared/tiled_upscaler.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <numbers>
#include <vector>

#include "modules/core/byte_size.hpp"
#include "modules/core/error.hpp"
#include "modules/signal/resize.hpp"

namespace reseda::infrared {
namespace {

/// Pixels of one call beyond which larger batches gain nothing.
constexpr std::int64_t kCallPixels = 16384;

/// Upper left corner and place in the cuts.
struct Place {
  std::size_t row, column;
  std::int64_t top, left;
};

at::Tensor cut_out(const at::Tensor& image, const std::vector<Place>& places, std::int64_t tall, std::int64_t wide,
                   std::int64_t scale) {
  if (!image.defined()) return {};
  std::vector<at::Tensor> tiles;
  for (const Place& place : places)
    tiles.push_back(image[0].narrow(1, scale * place.top, scale * tall).narrow(2, scale * place.left, scale * wide));
  return at::stack(tiles);
}

}  // namespace

diffusion::Tiling choose_tiling(const TileNetworkTraits& network, std::int64_t tile, std::int64_t bytes) {
  diffusion::Tiling tiling;
  tiling.multiple = network.multiple;
  tiling.overlap = 2 * network.margin + network.blend;
  const auto up = [&](std::int64_t side) {
    return (side + network.multiple - 1) / network.multiple * network.multiple;
  };
  const std::int64_t least = up(2 * tiling.overlap);
  RESEDA_REQUIRE(tile == 0 || tile >= least, Errc::kUsage, "--tile must be 0 or at least ", least,
                 " for this model, got ", tile);
  const auto cost = [&](std::int64_t side) { return network.bytes_per_pixel * side * side; };
  tiling.tile = up(std::max(tile == 0 ? network.preferred_tile : tile, least));
  while (tile == 0 && cost(tiling.tile) > bytes && tiling.tile > least)
    tiling.tile = std::max(up(tiling.tile / 2), least);
  RESEDA_REQUIRE(cost(tiling.tile) <= bytes, Errc::kUsage, "--max-memory: a tile of ", tiling.tile, " x ", tiling.tile,
                 " pixels needs ", bytes_text(cost(tiling.tile)), ", and ",
                 bytes_text(std::max<std::int64_t>(bytes, 0)), " are left for it");
  const std::int64_t fitting = network.bytes_per_pixel > 0 ? bytes / network.bytes_per_pixel : kCallPixels;
  tiling.pixels = std::min(kCallPixels, fitting);
  return tiling;
}

at::Tensor blend_window(std::int64_t side, std::int64_t margin, std::int64_t blend, bool first, bool last) {
  const at::Tensor index = at::arange(side, at::kDouble);
  at::Tensor window = at::ones({side}, at::kDouble);
  const auto rise = [&](const at::Tensor& from_edge) {
    const at::Tensor share = ((from_edge - static_cast<double>(margin) + 0.5) / static_cast<double>(blend)).clamp(0, 1);
    return (share * (std::numbers::pi / 2)).sin().square();
  };
  if (!first) window = window * rise(index);
  if (!last) window = window * rise(static_cast<double>(side - 1) - index);
  return window.to(at::kFloat);
}

/// One axis of a frame: its tiles and, at the scale of the result, their weights and the sum of these.
struct TiledUpscaler::Axis {
  diffusion::TileCut cut;
  std::vector<at::Tensor> weights;
  at::Tensor total;
};

TiledUpscaler::TiledUpscaler(TileNetwork network, TileNetworkTraits traits, diffusion::Tiling tiling)
    : network_(std::move(network)), traits_(traits), tiling_(tiling) {
  tiling_.validate();
  RESEDA_INVARIANT(traits.blend >= 1 && tiling_.overlap >= 2 * traits.margin + traits.blend);
}

TiledUpscaler::Axis TiledUpscaler::cut(std::int64_t size) const {
  const std::int64_t s = traits_.scale;
  Axis axis{diffusion::cut_axis(size, tiling_), {}, {}};
  axis.total = at::zeros({s * std::max(size, axis.cut.tile)}, at::kFloat);
  for (std::size_t i = 0; i < axis.cut.starts.size(); ++i) {
    axis.weights.push_back(blend_window(s * axis.cut.tile, s * traits_.margin, s * traits_.blend, i == 0,
                                        i + 1 == axis.cut.starts.size()));
    axis.total.narrow(0, s * axis.cut.starts[i], s * axis.cut.tile).add_(axis.weights.back());
  }
  return axis;
}

at::Tensor TiledUpscaler::run(const at::Tensor& low, const UpscaleContext& context) const {
  const std::int64_t height = low.size(2), width = low.size(3), s = traits_.scale;
  const Axis rows = cut(height), columns = cut(width);
  const std::int64_t tall = std::max(height, rows.cut.tile), wide = std::max(width, columns.cut.tile);
  const at::Tensor known = low.clamp(-1, 1), beyond = low - known;
  const at::Tensor whole =
      tall > height || wide > width ? at::replication_pad2d(known, {0, wide - width, 0, tall - height}) : known;
  at::Tensor noise;
  if (traits_.draws_noise)
    noise = context.noise.normal({context.item, "prior", context.sample}, {1, 1, s * tall, s * wide});
  at::Tensor high = blended(whole, noise, rows, columns, context);
  high = high.narrow(2, 0, s * height).narrow(3, 0, s * width).contiguous();
  if (beyond.any().item<bool>()) high.add_(signal::resize(beyond, s * height, s * width, "pillow_bicubic"));
  return high;
}

at::Tensor TiledUpscaler::blended(const at::Tensor& low, const at::Tensor& noise, const Axis& rows, const Axis& columns,
                                  const UpscaleContext& context) const {
  const std::int64_t s = traits_.scale, tall = rows.cut.tile, wide = columns.cut.tile;
  std::vector<Place> places;
  for (std::size_t i = 0; i < rows.cut.starts.size(); ++i)
    for (std::size_t j = 0; j < columns.cut.starts.size(); ++j)
      places.push_back({i, j, rows.cut.starts[i], columns.cut.starts[j]});
  const std::size_t fitting = static_cast<std::size_t>(std::max<std::int64_t>(tiling_.pixels / (tall * wide), 1)),
                    batch = std::min(fitting, places.size());

  at::Tensor sum = at::zeros({1, 1, s * low.size(2), s * low.size(3)}, at::kFloat);
  for (std::size_t first = 0; first < places.size(); first += batch) {
    std::vector<Place> some;
    for (std::size_t i = 0; i < batch; ++i) some.push_back(places[std::min(first + i, places.size() - 1)]);
    const at::Tensor tiles = network_(cut_out(low, some, tall, wide, 1), cut_out(noise, some, tall, wide, s));
    RESEDA_INVARIANT(tiles.sizes() == at::IntArrayRef({static_cast<std::int64_t>(batch), 1, s * tall, s * wide}));
    for (std::size_t i = 0; i < some.size() && first + i < places.size(); ++i) {
      const at::Tensor weight = rows.weights[some[i].row].unsqueeze(1) * columns.weights[some[i].column];
      sum[0][0]
          .narrow(0, s * some[i].top, s * tall)
          .narrow(1, s * some[i].left, s * wide)
          .addcmul_(tiles[static_cast<std::int64_t>(i)][0], weight);
    }
    context.report(static_cast<std::int64_t>(std::min(first + batch, places.size())),
                   static_cast<std::int64_t>(places.size()));
  }
  return sum.div_(rows.total.unsqueeze(1)).div_(columns.total);
}

std::int64_t TiledUpscaler::working_bytes(std::int64_t height, std::int64_t width) const {
  const std::int64_t s = traits_.scale, call = std::max(tiling_.pixels, tiling_.tile * tiling_.tile);
  const std::int64_t field = (traits_.draws_noise ? 4 : 0) + 8;  // noise, result under way and what is added to it
  return call * traits_.bytes_per_pixel + s * s * height * width * field;
}

}  // namespace reseda::infrared
