#include "pipelines/infrared/evaluation/frame_scores.hpp"

#include <gtest/gtest.h>

#include "tests/pipelines/infrared_evaluation/made_frames.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::infrared {
namespace {

/// y = x + ((5 i + 3 j^2) mod 17) - 8, clipped to 8 bits.
at::Tensor disturbed(const at::Tensor& x) {
  const at::Tensor i = at::arange(x.size(0), at::kLong).unsqueeze(1), j = at::arange(x.size(1), at::kLong);
  return (x + (5 * i + 3 * j * j).remainder(17) - 8).clamp(0, 255).to(at::kFloat);
}

void expect_scores(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(actual[i], expected[i], 1e-11 * std::abs(expected[i])) << scores()[i].key;
}

// Recorded with NumPy 2.4.6 and scikit-image on float64 frames.
TEST(FrameScores, RecordedValues) {
  const at::Tensor x = made_frame(24, 28), y = disturbed(x);
  const FrameScores of8 = score_frame({.reference = {x}, .restored = {y}, .input = {x}});
  EXPECT_EQ(of8.range, 255);
  expect_scores(of8.restored, {34.294332717311356, 34.446053091744538, 0.99776837429712695, 0.045504019364408135,
                               0.99705132758430826, 4.8332307049859571, 0.020833333333333332});
  EXPECT_NEAR(of8.input[score_place("ssim")], 1, 1e-12);
  EXPECT_EQ(of8.input[score_place("rmse")], 0);

  const auto deep = [](const at::Tensor& pixels) { return GreyFrame{.pixels = 100 * pixels + 1000, .bits = 16}; };
  const FrameScores of16 = score_frame({.reference = deep(x), .restored = deep(y), .input = {}});
  EXPECT_EQ(of16.range, 25500);
  EXPECT_EQ(of16.bits, 16);
  EXPECT_TRUE(of16.input.empty());
  expect_scores(of16.restored, {34.294332717311356, 34.446053091744538, 0.99776926963600221, 0.045495798529831787,
                                0.99705132758430848, 483.32307049859565, 2.0833333333333335});
}

TEST(FrameScores, OffsetHasASign) {
  const at::Tensor x = made_frame(20, 20);
  const FrameScores of = score_frame({.reference = {x}, .restored = {x + 3}, .input = {x - 2}});
  EXPECT_NEAR(of.restored[score_place("offset")], 3, 1e-12);
  EXPECT_NEAR(of.input[score_place("offset")], -2, 1e-12);
  EXPECT_NEAR(of.restored[score_place("grad_ratio")], 1, 1e-12);
}

TEST(FrameScores, TheCorrelationOfUncertaintyAndErrorHasASign) {
  const at::Tensor x = made_frame(20, 24), error = at::arange(480, at::kFloat).view({20, 24}) / 8 - 30;
  const auto scored = [&](const at::Tensor& map) {
    return score_frame({.reference = {x}, .restored = {x + error}, .input = {x}, .uncertainty = map});
  };
  const FrameScores same = scored(2 * error.abs() + 1), squared = scored(-error.square()),
                    none = scored(at::zeros_like(x));
  ASSERT_EQ(same.restored.size(), scores().size() + uncertainty_scores().size());
  EXPECT_EQ(same.input.size(), scores().size());
  EXPECT_NEAR(same.restored[scores().size()], 1, 1e-9);
  EXPECT_NEAR(same.restored.back(), 1, 1e-9);
  EXPECT_NEAR(squared.restored[scores().size()], -0.968, 1e-3) << "of |e| and -e^2, e even around 0";
  EXPECT_NEAR(squared.restored.back(), -1, 1e-9);
  EXPECT_TRUE(std::isnan(none.restored.back()));
}

TEST(FrameScores, Refuses) {
  const GreyFrame small{.pixels = made_frame(18, 40)}, flat{.pixels = at::full({20, 20}, 7.F), .bits = 16};
  tests::expect_error(Errc::kInput, "a frame of 40x18 pixels cannot be scored, expected at least 19 a side",
                      [&] { score_frame({.reference = small, .restored = small, .input = {}}); });
  tests::expect_error(Errc::kInput, "the reference has one value, 7, everywhere",
                      [&] { score_frame({.reference = flat, .restored = flat, .input = {}}); });
  const GreyFrame flat8{.pixels = at::full({20, 20}, 7.F)};
  EXPECT_EQ(score_frame({.reference = flat8, .restored = flat8, .input = {}}).restored[score_place("rmse")], 0);
}

}  // namespace
}  // namespace reseda::infrared
