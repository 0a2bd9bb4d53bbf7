#include "modules/train/adam.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "modules/core/error.hpp"

namespace reseda::train {
namespace {

at::Tensor trainable(std::vector<double> values) { return at::tensor(values, at::kFloat).requires_grad_(); }

std::vector<double> numbers(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().to(at::kDouble).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

TEST(FlatParameters, MakesTheNetworksTensorsViewsOfOneVector) {
  const at::Tensor a = at::arange(4, at::kFloat).view({2, 2}).requires_grad_(), fixed = at::ones({3}),
                   b = trainable({7, 8});
  FlatParameters parameters({{"a", a}, {"fixed", fixed}, {"b", b}});
  EXPECT_EQ(numbers(parameters.values()), (std::vector<double>{0, 1, 2, 3, 7, 8}));

  parameters.values().mul_(2);
  EXPECT_EQ(a[1][0].item<double>(), 4);
  EXPECT_EQ(b[1].item<double>(), 16);
  EXPECT_EQ(fixed[0].item<double>(), 1);

  (a.sum() * 3 + b[0] * 5).backward();
  EXPECT_EQ(numbers(parameters.gradient()), (std::vector<double>{3, 3, 3, 3, 5, 0}));
  b[1].backward();
  EXPECT_EQ(parameters.gradient()[5].item<double>(), 1) << "gradients add up until they are set to zero";
  parameters.zero_gradient();
  EXPECT_EQ(a.grad().abs().sum().item<double>(), 0);
}

TEST(FlatParameters, NamesTheSlicesOfAnyVectorOfThatLength) {
  const at::Tensor a = at::zeros({2, 2}).requires_grad_(), b = trainable({0});
  const FlatParameters parameters({{"a", a}, {"b", b}});
  const auto slices = parameters.slices(at::arange(5, at::kFloat));
  ASSERT_EQ(slices.size(), 2U);
  EXPECT_EQ(slices[0].first, "a");
  EXPECT_EQ(slices[0].second.sizes(), (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(slices[1].first, "b");
  EXPECT_EQ(slices[1].second.item<double>(), 4);
}

// p = 1, gradients 2 and -1, rate 0.1. Step 1: m^ = 2, v^ = 4, so p falls by 0.1. Step 2: m = 0.9 0.2 - 0.1 = 0.08,
// v = 0.999 0.004 + 0.001 = 0.004996, m^ = 0.08 / 0.19, v^ = 0.004996 / 0.001999, so p falls by 0.1 0.266337.
TEST(Adam, TakesTheTwoStepsComputedByHand) {
  at::Tensor p = at::tensor({1.0F});
  Adam adam({.lr = 0.5}, p);  // the rate handed to step() counts
  adam.step(p, at::tensor({2.0F}), 0.1);
  EXPECT_NEAR(p.item<double>(), 0.9, 1e-6);
  adam.step(p, at::tensor({-1.0F}), 0.1);
  EXPECT_NEAR(p.item<double>(), 0.8733663, 1e-6);
  EXPECT_NEAR(adam.first_moment.item<double>(), 0.08, 1e-7);
  EXPECT_NEAR(adam.second_moment.item<double>(), 0.004996, 1e-8);
  EXPECT_EQ(adam.updates, 2);
}

// Decoupled: each step first multiplies p by 1 - 0.1 0.5; the moments do not see it.
TEST(Adam, DecaysWeightsApartFromTheMoments) {
  at::Tensor p = at::tensor({1.0F});
  Adam adam({.weight_decay = 0.5}, p);
  adam.step(p, at::tensor({2.0F}), 0.1);
  EXPECT_NEAR(p.item<double>(), 0.85, 1e-6);
  adam.step(p, at::tensor({-1.0F}), 0.1);
  EXPECT_NEAR(p.item<double>(), 0.85 * 0.95 - 0.0266337, 1e-6);
  EXPECT_NEAR(adam.second_moment.item<double>(), 0.004996, 1e-8);
}

TEST(Adam, DividesByTheRootPlusEps) {
  at::Tensor p = at::zeros({1});
  Adam adam({.eps = 1.0}, p);
  adam.step(p, at::tensor({3.0F}), 0.1);
  EXPECT_NEAR(p.item<double>(), -0.1 * 3.0 / 4.0, 1e-6);
}

TEST(Adam, RefusesSettingsByName) {
  const auto refusal = [](const AdamConfig& config) -> std::string {
    try {
      Adam adam(config, at::zeros({1}));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::kUsage);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_NE(refusal({.lr = 0.0}).find("adam.lr"), std::string::npos);
  EXPECT_NE(refusal({.beta1 = 1.0}).find("adam.beta1"), std::string::npos);
  EXPECT_NE(refusal({.beta2 = -0.1}).find("adam.beta2"), std::string::npos);
  EXPECT_NE(refusal({.eps = 0.0}).find("adam.eps"), std::string::npos);
  EXPECT_NE(refusal({.weight_decay = 1.0}).find("adam.weight_decay"), std::string::npos);
  EXPECT_EQ(refusal({.beta1 = 0.0, .beta2 = 0.0}), "accepted");
}

// From 0 towards 1 what is left is the product of the decays 2/11, 3/12, 4/13.
TEST(MovingAverage, WarmsUpAsTwoEleventhsThreeTwelfths) {
  const at::Tensor one = at::ones({1});
  MovingAverage average(0.999, at::zeros({1}));
  double left = 1.0;
  for (const double decay : {2.0 / 11, 3.0 / 12, 4.0 / 13}) {
    average.update(one);
    left *= decay;
    EXPECT_NEAR(average.shadow.item<double>(), 1.0 - left, 1e-6);
  }
  EXPECT_EQ(average.updates, 3);
}

TEST(MovingAverage, NeverDecaysSlowerThanAsked) {
  const at::Tensor one = at::ones({1});
  MovingAverage average(0.2, at::zeros({1}));
  average.update(one);
  EXPECT_NEAR(average.shadow.item<double>(), 1.0 - 2.0 / 11, 1e-6);
  average.update(one);  // 3/12 would be above 0.2
  EXPECT_NEAR(average.shadow.item<double>(), 1.0 - 2.0 / 11 * 0.2, 1e-6);
}

TEST(MovingAverage, StartsFromACopyOfTheValues) {
  at::Tensor values = at::ones({2});
  const MovingAverage average(0.9, values);
  values.zero_();
  EXPECT_EQ(average.shadow.sum().item<double>(), 2);
  EXPECT_THROW(MovingAverage(1.0, values), Error);
}

}  // namespace
}  // namespace reseda::train
