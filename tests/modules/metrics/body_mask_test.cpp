#include "modules/metrics/body_mask.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/expect_error.hpp"

namespace reseda::metrics {
namespace {

/// '#' is 100, '.' is -1000.
at::Tensor picture(const std::vector<std::string>& rows) {
  const auto width = static_cast<std::int64_t>(rows[0].size());
  at::Tensor out = at::full({static_cast<std::int64_t>(rows.size()), width}, -1000.0);
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::int64_t j = 0; j < width; ++j)
      if (rows[i][static_cast<std::size_t>(j)] == '#') out[static_cast<std::int64_t>(i)][j] = 100.0;
  return out;
}

std::vector<std::string> drawn(const at::Tensor& mask) {
  std::vector<std::string> rows(static_cast<std::size_t>(mask.size(0)));
  for (std::int64_t i = 0; i < mask.size(0); ++i)
    for (std::int64_t j = 0; j < mask.size(1); ++j)
      rows[static_cast<std::size_t>(i)] += mask[i][j].item<bool>() ? '#' : '.';
  return rows;
}

TEST(BodyMask, FillsHolesAndKeepsTheLargestPiece) {
  // The ring's inside is body; its gap at a corner does not open it (holes touch by their sides); the bench below and
  // the pixel at the ring's corner are other pieces.
  const std::vector<std::string> rows = {"#.......",  //
                                         "..####..",  //
                                         ".#....#.",  //
                                         ".#.##.#.",  //
                                         ".#....#.",  //
                                         "..####..",  //
                                         "........",  //
                                         "########"};
  const std::vector<std::string> body = {"........",  //
                                         "..####..",  //
                                         ".######.",  //
                                         ".######.",  //
                                         ".######.",  //
                                         "..####..",  //
                                         "........",  //
                                         "........"};
  EXPECT_EQ(drawn(body_mask(picture(rows), -500)), body);
  EXPECT_EQ(drawn(body_mask(picture(rows).t(), -500).t()), body);
}

TEST(BodyMask, OpenRingsHaveNoHoleAndEqualPiecesGiveTheFirst) {
  const std::vector<std::string> open = {"####", "#..#", "#..."}, two = {"##.", "...", ".##"};
  EXPECT_EQ(drawn(body_mask(picture(open), -500)), open);
  EXPECT_EQ(drawn(body_mask(picture(two), -500)), (std::vector<std::string>{"##.", "...", "..."}));
}

TEST(BodyMask, AirIsAllBodyAndBadShapesAreRefused) {
  EXPECT_TRUE(body_mask(at::full({3, 4}, -1000.0), -500).all().item<bool>());
  EXPECT_EQ(body_mask(at::full({3, 4}, -500.0), -500).sum().item<int>(), 12) << "not above";
  tests::expect_error(Errc::kInput, "[H,W]", [] { body_mask(at::zeros({2, 3, 4}), 0); });
}

}  // namespace
}  // namespace reseda::metrics
