#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/train/info_nce.hpp"
#include "modules/train/layer_decay.hpp"
#include "modules/train/rrcm_schedule.hpp"
#include "modules/train/smoothing_loss.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

using namespace train;

TEST(InfoNce, OfOrthogonalKeys) {
  const at::Tensor keys = at::eye(4, at::kFloat);
  // ln(e^5 + 3) - 5
  EXPECT_NEAR(info_nce(3 * keys, 7 * keys, 0.2)[0].item<double>(), std::log(std::exp(5) + 3) - 5, 1e-6);
  EXPECT_NEAR(info_nce(keys.slice(0, 0, 1), keys.slice(0, 0, 1), 0.2)[0].item<double>(), 0, 1e-6);
  // Keys of others are negatives.
  EXPECT_NEAR(info_nce(keys.slice(0, 0, 2), keys, 0.2)[1].item<double>(), std::log(std::exp(5) + 3) - 5, 1e-6);
  expect_error(Errc::kInternal, "InfoNCE", [&] { info_nce(keys, keys.slice(0, 0, 2), 0.2); });
}

TEST(SmoothingLoss, OfCopiesThatAgree) {
  const at::Tensor one = at::tensor({0.3F, -1.F, 2.F}).unsqueeze(0);
  const at::Tensor p = one.softmax(1);
  const double entropy = -(p * p.log()).sum().item<double>();
  EXPECT_NEAR(smoothing_regulariser({}, at::cat({one, one})).item<double>(), 0.5 * entropy, 1e-6);
  EXPECT_NEAR(smoothing_regulariser({.form = "kl"}, at::cat({one, one})).item<double>(), 0, 1e-6);
  EXPECT_NEAR(smoothing_regulariser({.form = "xent"}, at::cat({one, one})).item<double>(), 10 * entropy, 1e-5);
  EXPECT_NEAR(mean_entropy(one).item<double>(), entropy, 1e-6);
}

TEST(SmoothingLoss, OfCopiesThatDisagree) {
  const at::Tensor logits = at::tensor({20.F, 0.F, 0.F, 20.F}).view({2, 2});  // p = (1, 0) and (0, 1), mean (1/2, 1/2)
  EXPECT_NEAR(smoothing_regulariser({.form = "mse", .lambda = 1}, logits).item<double>(), 2, 1e-6);
  // KL((1/2, 1/2) || (1, 0)) = ln(1/2) + 10 with the logarithm of 0 at -20
  EXPECT_NEAR(smoothing_regulariser({.form = "kl", .lambda = 1}, logits).item<double>(), 10 - std::log(2), 1e-5);
  expect_error(Errc::kUsage, "loss.form", [&] { smoothing_regulariser({.form = "l2"}, logits); });
  expect_error(Errc::kInternal, "do not divide", [&] { smoothing_regulariser({.copies = 3}, logits); });
}

TEST(SmoothingLoss, CrossEntropyTakesClassesAndShares) {
  const at::Tensor logits = at::randn({4, 3});
  const at::Tensor classes = at::tensor({2, 0}, at::kLong);
  const at::Tensor shares = at::eye(3, at::kFloat).index_select(0, classes).to(at::kFloat);
  EXPECT_NEAR(cross_entropy(logits, classes).item<double>(), cross_entropy(logits, shares).item<double>(), 1e-6);
  const at::Tensor log_p = logits.log_softmax(1);
  const double expected = -(log_p[0][2] + log_p[1][0] + log_p[2][2] + log_p[3][0]).item<double>() / 4;
  EXPECT_NEAR(cross_entropy(logits, classes).item<double>(), expected, 1e-6);
}

TEST(LayerDecay, LowersTheLowerLayers) {
  const LayerDecayConfig config = {.decay = 0.5, .depth = 2, .weight_decay = 0.1};
  EXPECT_EQ(layer_rates(config, "base_model.pos_embed", 3).lr_factor, 0.125);
  EXPECT_EQ(layer_rates(config, "patch_embed.proj.bias", 1).weight_decay, 0);
  EXPECT_EQ(layer_rates(config, "base_model.blocks.1.mlp.fc1.weight", 2).lr_factor, 0.5);
  EXPECT_EQ(layer_rates(config, "linear_head.weight", 2).lr_factor, 1);
  EXPECT_EQ(layer_rates(config, "linear_head.weight", 2).weight_decay, 0.1);
}

TEST(RrcmSchedule, GrowsByDoublings) {
  const RrcmScheduleConfig config;
  EXPECT_EQ(rrcm_scales(config, 0), 21);
  EXPECT_EQ(rrcm_scales(config, 1), 41);
  EXPECT_EQ(rrcm_scales(config, 258406), 41);
  EXPECT_EQ(rrcm_scales(config, 258407), 81);
  EXPECT_EQ(rrcm_scales(config, 600000), 81);
  EXPECT_EQ(rrcm_target_ema(config, 0), 0.99);
  EXPECT_GT(rrcm_target_ema(config, 300000), rrcm_target_ema(config, 1000));
  EXPECT_EQ(warmup_cosine(0, 10, 110), 0);
  EXPECT_EQ(warmup_cosine(5, 10, 110), 0.5);
  EXPECT_NEAR(warmup_cosine(60, 10, 110), 0.5, 1e-15);
  EXPECT_EQ(warmup_cosine(110, 10, 110, 0.1), 0.1);
}

}  // namespace
}  // namespace reseda::tests
