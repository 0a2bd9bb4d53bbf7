#include "modules/signal/chopping.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"

namespace reseda::signal {
namespace {

using Starts = std::vector<std::int64_t>;

TEST(ChopStarts, MoveTheLastTileBack) {
  EXPECT_EQ(chop_starts(1000, {}), (Starts{0, 448, 488}));
  EXPECT_EQ(chop_starts(512, {}), Starts{0});
  EXPECT_EQ(chop_starts(513, {}), (Starts{0, 1}));
  EXPECT_EQ(chop_starts(960, {}), (Starts{0, 448}));
  EXPECT_EQ(chop_starts(961, {}), (Starts{0, 448, 449}));
  EXPECT_EQ(chop_starts(3, {}), Starts{0});
  EXPECT_EQ(chop_starts(45, {.size = 20, .stride = 3}).back(), 25);
  tests::expect_error(Errc::kUsage, "tiles.stride must be in 1 to tiles.size (4), got 5",
                      [] { chop_starts(9, {.size = 4, .stride = 5}); });
}

TEST(ByChops, KeepsAnImageThatIsNotChanged) {
  const at::Tensor x = at::rand({2, 3, 45, 58});
  const auto twice = [](const at::Tensor& tile) {
    return at::upsample_nearest2d(tile, {2 * tile.size(2), 2 * tile.size(3)});
  };
  const at::Tensor large = by_chops(x, {.size = 20, .stride = 15}, 2, twice);
  EXPECT_LT((large - twice(x)).abs().max().item<double>(), 1e-6);
}

TEST(ByChops, AveragesWithEqualWeights) {
  // Tiles 0..3 and 2..5 of six pixels, which say 1 and 3: the two pixels of both are 2.
  double said = -1;
  const at::Tensor found = by_chops(at::zeros({1, 1, 1, 6}), {.size = 4, .stride = 2}, 1,
                                    [&](const at::Tensor& tile) { return at::full_like(tile, said += 2); });
  EXPECT_TRUE(at::equal(found.flatten(), at::tensor({1.0F, 1.0F, 2.0F, 2.0F, 3.0F, 3.0F})));
  tests::expect_error(Errc::kInternal, "2 times as large", [] {
    by_chops(at::zeros({1, 1, 4, 4}), {}, 2, [](const at::Tensor& tile) { return tile; });
  });
}

}  // namespace
}  // namespace reseda::signal
