#include "modules/diffusion/tiled_denoiser.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/support/expect_error.hpp"

namespace reseda::diffusion {
namespace {

using tests::expect_error;

class Recording final : public Denoiser {
 public:
  using Call = std::function<Estimates(const at::Tensor& x, const Condition& condition)>;
  explicit Recording(Call call) : call_(std::move(call)) {}
  Estimates operator()(const at::Tensor& x, double, const Condition& condition) const override {
    shapes.push_back(x.sizes().vec());
    return call_(x, condition);
  }
  mutable std::vector<std::vector<std::int64_t>> shapes;

 private:
  Call call_;
};

TEST(TiledDenoiserTest, CutsAnAxisIntoAsFewEvenTilesAsFit) {
  const Tiling tiling{.tile = 16, .overlap = 4, .multiple = 4};
  // ceil((40 - 4) / (16 - 4)) = 3 tiles of ceil((40 + 2 * 4) / 3) = 16
  const TileCut cut = cut_axis(40, tiling);
  EXPECT_EQ(cut.tile, 16);
  EXPECT_EQ(cut.starts, (std::vector<std::int64_t>{0, 12, 24}));
  // 2 tiles of 12: (20 + 4) / 2
  EXPECT_EQ(cut_axis(20, tiling).tile, 12);
  EXPECT_EQ(cut_axis(20, tiling).starts, (std::vector<std::int64_t>{0, 8}));
  // One tile, rounded up beyond the axis.
  EXPECT_EQ(cut_axis(9, tiling).tile, 12);
  EXPECT_EQ(cut_axis(9, tiling).starts, (std::vector<std::int64_t>{0}));
  EXPECT_EQ(cut_axis(16, tiling).tile, 16);
}

TEST(TiledDenoiserTest, OfAPointwiseDenoiserChangesNothing) {
  const Recording inner([](const at::Tensor& x, const Condition& c) {
    return Estimates{.x0 = 2 * x + c.y, .eps = x - c.extra.narrow(1, 0, 1), .residual = c.y};
  });
  const TiledDenoiser tiled(inner, {.tile = 16, .overlap = 5, .multiple = 8, .pixels = 1200});
  at::manual_seed(3);
  const at::Tensor x = at::randn({2, 1, 37, 9}), y = at::randn({2, 1, 37, 9}), extra = at::randn({2, 3, 37, 9});
  const Estimates got = tiled(x, 0.5, {.y = y, .extra = extra});
  EXPECT_LT((got.x0 - (2 * x + y)).abs().max().item<double>(), 2e-6);
  EXPECT_LT((got.eps - (x - extra.narrow(1, 0, 1))).abs().max().item<double>(), 2e-6);
  EXPECT_LT((got.residual - y).abs().max().item<double>(), 2e-6);
  EXPECT_FALSE(got.variance_share.defined());
  // Three tiles down and one across, of two items: two calls of four, the last one filled up.
  ASSERT_EQ(inner.shapes.size(), 2U);
  for (const auto& shape : inner.shapes) EXPECT_EQ(shape, (std::vector<std::int64_t>{4, 1, 16, 16}));
}

TEST(TiledDenoiserTest, BlendsNeighboursLinearlyAcrossTheirOverlap) {
  // The first tile says 0, the second 1: across an overlap of 4 the weights are 1:4, 2:3, 3:2, 4:1 of fifths.
  int call = 0;
  const Recording inner([&](const at::Tensor& x, const Condition&) {
    return Estimates{.x0 = at::full_like(x, static_cast<double>(call++)), .eps = x};
  });
  const TiledDenoiser tiled(inner, {.tile = 12, .overlap = 4, .multiple = 4, .pixels = 1});
  const at::Tensor x0 = tiled(at::zeros({1, 1, 4, 20}), 0.5, {}).x0[0][0][1];
  const at::Tensor expected = at::cat({at::zeros({8}), at::arange(1, 5, at::kFloat) / 5, at::ones({8})});
  EXPECT_LT((x0 - expected).abs().max().item<double>(), 1e-6);
}

TEST(TiledDenoiserTest, ContinuesSmallImagesByTheirBorder) {
  const Recording inner([](const at::Tensor& x, const Condition&) {
    EXPECT_EQ(x[0][0][7][7].item<double>(), x[0][0][4][5].item<double>());
    return Estimates{.x0 = x, .eps = x};
  });
  const TiledDenoiser tiled(inner, {.tile = 16, .overlap = 0, .multiple = 8, .pixels = 1});
  EXPECT_EQ(tiled(at::randn({1, 1, 5, 6}), 0.5, {}).x0.sizes(), at::IntArrayRef({1, 1, 5, 6}));
}

TEST(TiledDenoiserTest, RefusesTilesThatCannotBe) {
  const Recording inner([](const at::Tensor& x, const Condition&) { return Estimates{x, x}; });
  expect_error(Errc::kUsage, "tile must be a positive multiple of 8, got 12",
               [&] { TiledDenoiser(inner, {.tile = 12}); });
  expect_error(Errc::kUsage, "overlap must be 0 to half a tile (16), got 9",
               [&] { TiledDenoiser(inner, {.tile = 16, .overlap = 9}); });
}

}  // namespace
}  // namespace reseda::diffusion
