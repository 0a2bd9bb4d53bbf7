#include "pipelines/infrared/tiled_upscaler.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

using infrared::choose_tiling;
using infrared::TiledUpscaler;
using infrared::TileNetworkTraits;

const TileNetworkTraits kTraits{.scale = 4,
                                .draws_noise = true,
                                .multiple = 1,
                                .margin = 2,
                                .blend = 3,
                                .preferred_tile = 16,
                                .bytes_per_pixel = 100};

/// A 5 x 5 convolution with zeros beyond the edges, enlarged, and as much of the noise as the frame is bright.
at::Tensor local_network(const at::Tensor& low, const at::Tensor& noise) {
  const at::Tensor kernel = at::arange(25, at::kFloat).sub(7).div(100).view({1, 1, 5, 5});
  const at::Tensor smooth = at::conv2d(low, kernel, {}, 1, 2).repeat_interleave(4, 2).repeat_interleave(4, 3);
  return noise.defined() ? smooth + 0.1 * smooth * noise : smooth;
}

at::Tensor scene(std::int64_t height, std::int64_t width) {
  CounterNoise noise(11);
  return noise.uniform({"scene", "pixels"}, {1, 1, height, width}) * 1.6 - 0.8;
}

at::Tensor run_by(const diffusion::Tiling& tiling, const at::Tensor& low, TileNetworkTraits traits = kTraits) {
  CounterNoise noise(5);
  return TiledUpscaler(local_network, traits, tiling).run(low, {noise, "frame"});
}

TEST(TiledUpscaler, TilesAreTheWholeFrameWhereTheMarginCoversTheNetwork) {
  const at::Tensor low = scene(37, 29);
  diffusion::Tiling whole = choose_tiling(kTraits, 64, 1 << 20);
  const at::Tensor expected = run_by(whole, low);
  EXPECT_EQ(expected.sizes(), at::IntArrayRef({1, 1, 148, 116}));
  for (const std::int64_t side : {14, 17, 24}) {
    for (const std::int64_t pixels : {1, 1000, 5000}) {
      diffusion::Tiling tiling = choose_tiling(kTraits, side, 1 << 20);
      tiling.pixels = pixels;
      EXPECT_TRUE(at::allclose(run_by(tiling, low), expected, 0, 1e-5)) << side << " " << pixels;
    }
  }
}

TEST(TiledUpscaler, TheGroupingOfTilesDoesNotChangeABit) {
  const infrared::TileNetwork by_pixel = [](const at::Tensor& low, const at::Tensor& noise) {
    return low.repeat_interleave(4, 2).repeat_interleave(4, 3) + 0.3 * noise;
  };
  const at::Tensor low = scene(40, 33);
  CounterNoise noise(5);
  diffusion::Tiling tiling = choose_tiling(kTraits, 15, 1 << 20);
  std::vector<at::Tensor> results;
  for (const std::int64_t tiles : {1, 4, 100}) {
    tiling.pixels = tiles * 15 * 15;
    results.push_back(TiledUpscaler(by_pixel, kTraits, tiling).run(low, {noise, "frame"}));
    EXPECT_TRUE(at::equal(results.back(), results.front())) << tiles;
  }
}

TEST(TiledUpscaler, AllCallsHaveOneShape) {
  std::set<std::vector<std::int64_t>> shapes;
  const infrared::TileNetwork network = [&](const at::Tensor& low, const at::Tensor& noise) {
    shapes.insert(low.sizes().vec());
    EXPECT_EQ(noise.size(2), 4 * low.size(2));
    return local_network(low, noise);
  };
  CounterNoise noise(5);
  diffusion::Tiling tiling = choose_tiling(kTraits, 16, 1 << 20);
  tiling.pixels = 3 * 16 * 16;
  TiledUpscaler(network, kTraits, tiling).run(scene(50, 41), {noise, "frame"});
  EXPECT_EQ(shapes.size(), 1U);
}

TEST(TiledUpscaler, ConstantsStayWhateverTheSize) {
  TileNetworkTraits traits = kTraits;
  traits.multiple = 8;
  traits.draws_noise = false;
  const infrared::TileNetwork repeat = [](const at::Tensor& low, const at::Tensor&) {
    EXPECT_EQ(low.size(2) % 8, 0);
    EXPECT_EQ(low.size(3) % 8, 0);
    return low.repeat_interleave(4, 2).repeat_interleave(4, 3);
  };
  const TiledUpscaler upscaler(repeat, traits, choose_tiling(traits, 0, 1 << 20));
  ZeroNoise noise;
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 50}, {33, 1}, {16, 16}, {17, 45}}) {
    const at::Tensor high = upscaler.run(at::full({1, 1, height, width}, 0.5), {noise, "frame"});
    ASSERT_EQ(high.sizes(), at::IntArrayRef({1, 1, 4 * height, 4 * width}));
    EXPECT_TRUE(at::allclose(high, at::full_like(high, 0.5), 0, 1e-6)) << height << " x " << width;
  }
}

TEST(TiledUpscaler, EqualNamesHaveEqualNoiseAndOthersNot) {
  CounterNoise noise(5);
  const TiledUpscaler upscaler(local_network, kTraits, choose_tiling(kTraits, 0, 1 << 20));
  const at::Tensor low = scene(20, 20), first = upscaler.run(low, {noise, "a", 0});
  EXPECT_TRUE(at::equal(upscaler.run(low, {noise, "a", 0}), first));
  EXPECT_FALSE(at::equal(upscaler.run(low, {noise, "a", 1}), first));
  EXPECT_FALSE(at::equal(upscaler.run(low, {noise, "b", 0}), first));
}

TEST(TiledUpscaler, ValuesBeyondTheRangeGoAroundTheNetwork) {
  TileNetworkTraits traits = kTraits;
  traits.draws_noise = false;
  const infrared::TileNetwork watched = [](const at::Tensor& low, const at::Tensor&) {
    EXPECT_LE(low.abs().max().item<float>(), 1);
    return low.repeat_interleave(4, 2).repeat_interleave(4, 3);
  };
  at::Tensor low = scene(12, 12);
  low[0][0][5][6] = 40;
  ZeroNoise noise;
  const TiledUpscaler upscaler(watched, traits, choose_tiling(traits, 0, 1 << 20));
  const at::Tensor high = upscaler.run(low, {noise, "frame"});
  EXPECT_GT(high[0][0][22][26].item<float>(), 25);
  EXPECT_NEAR(high.mean().item<double>(), low.mean().item<double>(), 2e-3);
}

TEST(TiledUpscaler, StopsWhenAsked) {
  CounterNoise noise(5);
  const TiledUpscaler upscaler(local_network, kTraits, choose_tiling(kTraits, 0, 1 << 20));
  expect_error(Errc::kInterrupted, "stopped", [&] {
    upscaler.run(scene(20, 20), {noise, "a", 0, [](const Progress&) { return false; }});
  });
}

TEST(TiledUpscaler, TheTileFitsTheMemory) {
  EXPECT_EQ(choose_tiling(kTraits, 0, 1 << 20).tile, 16);
  EXPECT_EQ(choose_tiling(kTraits, 0, 100 * 15 * 15).tile, 14) << "the least that overlaps twice";
  EXPECT_EQ(choose_tiling(kTraits, 40, 1 << 20).tile, 40);
  EXPECT_EQ(choose_tiling(kTraits, 0, 100 * 1000).pixels, 1000);
  expect_error(Errc::kUsage, "--max-memory", [] { choose_tiling(kTraits, 0, 1000); });
  expect_error(Errc::kUsage, "--max-memory", [] { choose_tiling(kTraits, 40, 100 * 1000); });
  expect_error(Errc::kUsage, "--tile", [] { choose_tiling(kTraits, 9, 1 << 20); });
}

TEST(TiledUpscaler, WindowsOfNeighboursAddUpToOne) {
  const std::int64_t side = 20, overlap = 2 * 2 + 3;
  const at::Tensor left = infrared::blend_window(side, 2, 3, true, false),
                   right = infrared::blend_window(side, 2, 3, false, true);
  EXPECT_TRUE(at::allclose(left.narrow(0, side - overlap, overlap) + right.narrow(0, 0, overlap), at::ones({overlap}),
                           0, 1e-6));
  EXPECT_EQ(right[1].item<float>(), 0) << "the margin does not count";
  EXPECT_EQ(left[0].item<float>(), 1) << "the frame's own edge does";
}

}  // namespace
}  // namespace reseda::tests
