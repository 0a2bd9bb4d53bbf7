#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "modules/core/error.hpp"
#include "modules/core/noise.hpp"
#include "modules/diffusion/process.hpp"
#include "modules/train/bridge_loss.hpp"
#include "modules/train/rddm_loss.hpp"
#include "modules/train/resfusion_loss.hpp"

namespace reseda::train {
namespace {

at::Tensor draw(const char* stream) {
  CounterNoise noise(9);
  return noise.normal({"x", stream, 0}, {2, 3, 4, 5});
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

class RddmLossTest : public testing::Test {
 protected:
  RddmBatch batch(const RddmLoss& loss, bool with_y = true) const {
    return loss.degrade(x0_, with_y ? y_ : at::Tensor(), eps_, at::tensor({3, 7}, at::kLong));
  }
  diffusion::RddmSchedule schedule_ = diffusion::rddm_schedule({.steps = 10});
  at::Tensor x0_ = draw("x0"), y_ = draw("y"), eps_ = draw("eps");
};

TEST_F(RddmLossTest, DegradesEveryItemAtItsOwnTime) {
  const RddmBatch b = batch(RddmLoss({}, schedule_));
  for (int i = 0; i < 2; ++i) {
    const std::int64_t t = i == 0 ? 3 : 7;
    const double abar = schedule_.alphas_cumsum[t].item<double>(), bbar = schedule_.betas_cumsum[t].item<double>();
    EXPECT_LT((b.x_t[i] - (x0_[i] + abar * (y_[i] - x0_[i]) + bbar * eps_[i])).abs().max().item<double>(), 1e-6);
  }
}

TEST_F(RddmLossTest, MeasuresEveryPredictionAgainstItsPart) {
  const at::Tensor R = y_ - x0_;
  const struct {
    const char* objective;
    std::vector<at::Tensor> parts;
  } rows[] = {{"pred_res_noise", {R, eps_}},
              {"pred_res_add_noise", {R, R + eps_}},
              {"pred_x0_noise", {x0_, eps_}},
              {"pred_x0_add_noise", {x0_, x0_ + eps_}},
              {"pred_noise", {eps_}},
              {"pred_res", {R}},
              {"pred_x0", {x0_}}};
  for (const auto& row : rows) {
    const RddmLoss absolute({.objective = row.objective, .norm = "l1"}, schedule_);
    const RddmLoss squares({.objective = row.objective, .norm = "l2"}, schedule_);
    const at::Tensor right = at::cat(row.parts, 1);
    const auto exact = absolute(right, batch(absolute));
    ASSERT_EQ(exact.size(), row.parts.size()) << row.objective;
    for (const at::Tensor& loss : exact) EXPECT_EQ(loss.item<double>(), 0) << row.objective;
    for (const at::Tensor& loss : absolute(right - 0.5, batch(absolute))) EXPECT_NEAR(loss.item<double>(), 0.5, 1e-6);
    for (const at::Tensor& loss : squares(right + 0.5, batch(squares))) EXPECT_NEAR(loss.item<double>(), 0.25, 1e-6);
  }
}

TEST_F(RddmLossTest, WithoutAMeasurementTheResidualIsTheNegatedImage) {
  const RddmLoss loss({.objective = "pred_res"}, schedule_);
  EXPECT_EQ(loss(-x0_, batch(loss, false))[0].item<double>(), 0);
}

TEST_F(RddmLossTest, AutomaticChoiceBlendsBothReadings) {
  const RddmLoss loss({.objective = "auto_res_noise", .norm = "l2"}, schedule_);
  const RddmBatch b = batch(loss);
  // With the whole share on the residual the right residual is exact in both losses, with none the right noise is.
  const auto residual = loss(y_ - x0_, b, at::ones({1}));
  EXPECT_NEAR(residual[0].item<double>(), 0, 1e-10);
  EXPECT_NEAR(residual[1].item<double>(), 0, 1e-8);
  const auto noise = loss(eps_, b, at::zeros({1}));
  EXPECT_NEAR(noise[1].item<double>(), 0, 1e-10);
  // x0 is clipped to +-1 on this way, so the residual is off where the image is beyond.
  const at::Tensor clipped = (x0_.clamp(-1, 1) - x0_).square().flatten(1).mean(1).mean();
  EXPECT_NEAR(noise[0].item<double>(), clipped.item<double>(), 1e-5);

  const at::Tensor share = at::full({1}, 0.5).requires_grad_(true);
  const auto losses = loss(0.5 * eps_, b, share);
  (share * losses[0] + (1 - share) * losses[1]).sum().backward();
  EXPECT_NE(share.grad().item<double>(), 0);
}

TEST_F(RddmLossTest, FindsTheImageThatASelfConditionedNetworkIsShown) {
  for (const char* objective : {"pred_res_noise", "pred_x0_noise", "pred_noise"}) {
    const RddmLoss loss({.objective = objective}, schedule_);
    const RddmBatch b =
        loss.degrade(0.3 * x0_.clamp(-1, 1), 0.3 * y_.clamp(-1, 1), eps_, at::tensor({3, 7}, at::kLong));
    const at::Tensor R = b.y - b.x0;
    const std::string name = objective;
    const at::Tensor predictions = name == "pred_noise"      ? eps_
                                   : name == "pred_x0_noise" ? at::cat({b.x0, eps_}, 1)
                                                             : at::cat({R, eps_}, 1);
    EXPECT_LT((loss.clean(predictions, b) - b.x0).abs().max().item<double>(), 1e-5) << objective;
  }
}

TEST_F(RddmLossTest, RefusesWhatDoesNotFit) {
  const RddmLoss loss({}, schedule_);
  EXPECT_EQ(message_of([&] { loss(x0_, batch(loss)); }),
            "the network's result must hold 2 predictions of 3 channels, got [2, 3, 4, 5]");
  EXPECT_EQ(message_of([&] { RddmLoss({.norm = "l3"}, schedule_); }), "loss.norm must be one of l1, l2, got 'l3'");
}

TEST(ResfusionLoss, HasTheForwardProcessTheTargetsAndBothNorms) {
  const auto schedule = diffusion::resfusion_schedule({});
  const at::Tensor x0 = draw("x0"), y = draw("y"), eps = draw("eps"), R = y - x0;
  const auto loss = [&](const char* mode, const char* norm) {
    return ResfusionLoss({.mode = mode, .norm = norm}, schedule);
  };
  const ResfusionBatch b = loss("epsilon", "L2").degrade(x0, y, eps, at::tensor({0, 4}, at::kLong));
  const double k[] = {0.0457390, 0.4564268};
  for (int i = 0; i < 2; ++i) {
    const double hat = schedule.alphas_hat[i == 0 ? 0 : 4].item<double>(), q = std::sqrt(hat);
    const at::Tensor x = q * x0[i] + (1 - q) * R[i] + std::sqrt(1 - hat) * eps[i];
    EXPECT_LT((b.x_t[i] - x).abs().max().item<double>(), 1e-6);
    EXPECT_LT((b.resnoise[i] - eps[i] - k[i] * R[i]).abs().max().item<double>(), 1e-6);
  }
  const struct {
    const char* mode;
    at::Tensor target;
  } rows[] = {{"epsilon", b.resnoise}, {"sample", x0}, {"residual", R}};
  for (const auto& row : rows) {
    EXPECT_NEAR(loss(row.mode, "L2")(row.target + 0.5, b).item<double>(), 0.25, 1e-6) << row.mode;
    EXPECT_NEAR(loss(row.mode, "L1")(row.target - 0.5, b).item<double>(), 0.125, 1e-6)
        << row.mode;                                                                             // quadratic below 1
    EXPECT_NEAR(loss(row.mode, "L1")(row.target + 3, b).item<double>(), 2.5, 1e-5) << row.mode;  // then linear
  }
  EXPECT_EQ(message_of([&] { loss("noise", "L2"); }),
            "loss.mode must be one of epsilon, sample, residual, got 'noise'");
}

TEST(BridgeLoss, VanishesForTheTargetOfEveryProcess) {
  const at::Tensor x0 = draw("x0").to(at::kDouble), y = draw("y").to(at::kDouble), eps = draw("eps").to(at::kDouble);
  const at::Tensor times = at::tensor({0.35, 0.8}, at::kDouble);
  for (const auto* entry : diffusion::process_entries()) {
    ConfigNode node = ConfigNode::map();
    node["name"] = ConfigNode(entry->name);
    const auto process = diffusion::make_process(node);
    for (const char* name : {"x0", "eps", "residual", "velocity", "resnoise"}) {
      const diffusion::Target target = diffusion::parse_target(name);
      const BridgeLoss loss(target, BridgeLoss::Norm::kSquares, *process);
      const at::Tensor x = loss.degrade(x0, y, eps, times);
      const at::Tensor right =
          at::cat({diffusion::target_value(target, x0.slice(0, 0, 1), eps.slice(0, 0, 1), y.slice(0, 0, 1),
                                           process->at(0.35), process->rate(0.35)),
                   diffusion::target_value(target, x0.slice(0, 1), eps.slice(0, 1), y.slice(0, 1), process->at(0.8),
                                           process->rate(0.8))});
      EXPECT_NEAR(loss(right, x0, y, eps, times).item<double>(), 0, 1e-20) << entry->name << name;
      EXPECT_NEAR(loss(right + 2, x0, y, eps, times).item<double>(), 4, 1e-9) << entry->name << name;
      // Errors of 2 in units of 4 for one item and of 0.5 for the other: the mean of 0.25 and 16.
      const at::Tensor unit = at::tensor({4.0, 0.5}, at::kDouble).view({2, 1, 1, 1});
      EXPECT_NEAR(loss(right + 2, x0, y, eps, times, unit).item<double>(), 8.125, 1e-8) << entry->name << name;
      EXPECT_LT((x[1] - process->at(0.8).sample(x0[1], y[1], eps[1])).abs().max().item<double>(), 1e-12);
    }
  }
}

TEST(InterpolantLoss, IsSmallestAtTheTargetAndIsTheSquareUpToAConstant) {
  ConfigNode node = ConfigNode::map();
  node["name"] = ConfigNode("interpolant");
  const auto process = diffusion::make_process(node);
  const at::Tensor x0 = draw("x0").to(at::kDouble), y = draw("y").to(at::kDouble), z = draw("z").to(at::kDouble);
  const at::Tensor times = at::tensor({0.3, 0.6}, at::kDouble);
  const auto m = diffusion::marginals(*process, times, 4);
  const auto r = diffusion::rates(*process, times, 4);
  const struct {
    InterpolantTarget target;
    at::Tensor right;
  } rows[] = {{InterpolantTarget::kVelocity, r.a * x0 + r.b * y + r.c * z},
              {InterpolantTarget::kDrift, r.a * x0 + r.b * y},
              {InterpolantTarget::kScore, -(diffusion::Coef(m.c.value.reciprocal()) * z)},
              {InterpolantTarget::kDenoiser, -z}};
  for (const auto& row : rows) {
    const auto value = [&](const at::Tensor& prediction) {
      const InterpolantCall network = [&](const at::Tensor& x, const at::Tensor&) {
        EXPECT_LT((x - m.sample(x0, y, z)).abs().max().item<double>(), 1e-12);
        return prediction;
      };
      return interpolant_loss(row.target, false, *process, network, x0, y, z, times).item<double>();
    };
    const at::Tensor off = row.right + 0.1 * draw("off").to(at::kDouble);
    const double square = 0.5 * (off - row.right).square().flatten(1).sum(1).mean().item<double>();
    EXPECT_NEAR(value(off) - value(row.right), square, 1e-9);
    EXPECT_NEAR(value(row.right), -0.5 * row.right.square().flatten(1).sum(1).mean().item<double>(), 1e-9);
  }
}

TEST(InterpolantLoss, TheAntitheticPairMirrorsTheNoise) {
  ConfigNode node = ConfigNode::map();
  node["name"] = ConfigNode("interpolant");
  const auto process = diffusion::make_process(node);
  const at::Tensor x0 = draw("x0").to(at::kDouble), y = draw("y").to(at::kDouble), z = draw("z").to(at::kDouble);
  const at::Tensor times = at::tensor({0.3, 0.6}, at::kDouble);
  std::vector<at::Tensor> seen;
  const InterpolantCall network = [&](const at::Tensor& x, const at::Tensor&) {
    seen.push_back(x);
    return 0.5 * x;
  };
  const double both =
      interpolant_loss(InterpolantTarget::kVelocity, true, *process, network, x0, y, z, times).item<double>();
  const double plus =
      interpolant_loss(InterpolantTarget::kVelocity, false, *process, network, x0, y, z, times).item<double>();
  const double minus =
      interpolant_loss(InterpolantTarget::kVelocity, false, *process, network, x0, y, -z, times).item<double>();
  EXPECT_NEAR(both, plus + minus, 1e-9);
  const auto m = diffusion::marginals(*process, times, 4);
  EXPECT_LT(((seen[0] + seen[1]) / 2 - m.mean(x0, y)).abs().max().item<double>(), 1e-12);
}

}  // namespace
}  // namespace reseda::train
