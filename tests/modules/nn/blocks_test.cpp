#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <numbers>

#include "modules/core/error.hpp"
#include "modules/nn/attention_block.hpp"
#include "modules/nn/combine.hpp"
#include "modules/nn/fir.hpp"
#include "modules/nn/fourier_features.hpp"
#include "modules/nn/init.hpp"
#include "modules/nn/layers.hpp"
#include "modules/nn/residual_block.hpp"

namespace reseda::nn {
namespace {

at::Tensor parameter(const torch::nn::Module& module, const std::string& name) {
  return module.named_parameters()[name];
}

std::vector<std::string> names(const torch::nn::Module& module) {
  std::vector<std::string> out;
  for (const auto& item : module.named_parameters()) out.push_back(item.key());
  return out;
}

void randomise(const torch::nn::Module& module) {
  const at::NoGradGuard no_grad;
  for (const auto& item : module.named_parameters()) item.value().normal_(0, 0.3);
}

TEST(Init, IsUniformWithTheVarianceOfTheAverageFan) {
  const at::Tensor w = fan_average_uniform({200, 100, 3, 3});
  const double bound = std::sqrt(3.0 / (150 * 9));
  EXPECT_LE(w.abs().max().item<double>(), bound);
  EXPECT_NEAR(w.square().mean().item<double>(), 1.0 / (150 * 9), 2e-5);
  EXPECT_LE(fan_average_uniform({8, 8}, 0.0).abs().max().item<double>(), std::sqrt(3e-10 / 8));
}

TEST(Conv2d, KeepsTheSizeAndSeesZerosOutside) {
  Conv2d conv(1, 1, 3);
  const at::NoGradGuard no_grad;
  conv.weight.zero_();
  conv.weight[0][0][1][2] = 2;  // the right neighbour
  conv.bias.fill_(0.5);
  const at::Tensor out = conv.forward(at::tensor({1.F, 2.F, 3.F}).view({1, 1, 1, 3}));
  EXPECT_TRUE(at::equal(out.flatten(), at::tensor({4.5F, 6.5F, 0.5F})));
}

TEST(Nin, IsAOneByOneConvolutionWithTheTransposedMatrix) {
  Nin nin(6, 5);
  randomise(nin);
  const at::Tensor x = at::randn({2, 6, 3, 4});
  const at::Tensor conv = at::conv2d(x, nin.W.t().unsqueeze(-1).unsqueeze(-1), nin.b);
  EXPECT_TRUE(at::allclose(nin.forward(x), conv, 1e-5, 1e-6));
}

TEST(GroupNorm, TakesAQuarterOfTheChannelsAsGroupsUpTo32) {
  const at::Tensor x = at::randn({2, 12, 3, 4});
  GroupNorm norm(12);
  EXPECT_TRUE(at::allclose(norm.forward(x), at::group_norm(x, 3, {}, {}, 1e-6), 1e-5, 1e-6));
  const at::Tensor wide = at::randn({1, 160, 2, 2});
  EXPECT_TRUE(at::allclose(GroupNorm(160).forward(wide), at::group_norm(wide, 32, {}, {}, 1e-6), 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(norm.forward_silu(x), at::silu(norm.forward(x)), 1e-5, 1e-6));
  const at::InferenceMode inference;
  EXPECT_TRUE(at::allclose(norm.forward_silu(x), at::silu(norm.forward(x)), 1e-5, 1e-6));
}

TEST(GroupNorm, RefusesChannelsThatItsGroupsDoNotDivide) {
  for (const std::int64_t channels : {3, 11, 132}) {
    try {
      GroupNorm norm(channels);
      FAIL() << channels;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::kUsage);
      EXPECT_NE(std::string(error.what()).find("a layer of " + std::to_string(channels) + " channels"),
                std::string::npos);
    }
  }
}

TEST(FourierFeatures, AreSinesThenCosinesOfTwoPiXw) {
  FourierFeatures features(3, 16);
  EXPECT_FALSE(features.W.requires_grad());
  const at::NoGradGuard no_grad;
  features.W.copy_(at::tensor({0.25F, 0.5F, -0.25F}));
  const at::Tensor out = features.forward(at::tensor({1.F, 0.F}));
  const at::Tensor expected = at::tensor({1.F, 0.F, -1.F, 0.F, -1.F, 0.F, 0.F, 0.F, 0.F, 1.F, 1.F, 1.F}).view({2, 6});
  EXPECT_TRUE(at::allclose(out, expected, 0, 1e-6));
}

TEST(AttentionBlock, IsSoftmaxAttentionOfOneHead) {
  AttentionBlock block(8);
  randomise(block);
  const at::Tensor x = at::randn({2, 8, 3, 5});
  const auto project = [&](const at::Tensor& h, const char* nin) {  // [B,N,C]
    return at::matmul(h, parameter(block, std::string(nin) + ".W")) + parameter(block, std::string(nin) + ".b");
  };
  const at::Tensor h =
      at::group_norm(x, 2, parameter(block, "GroupNorm_0.weight"), parameter(block, "GroupNorm_0.bias"), 1e-6)
          .flatten(2)
          .transpose(1, 2);
  const at::Tensor scores = at::matmul(project(h, "NIN_0"), project(h, "NIN_1").transpose(1, 2)) / std::sqrt(8.0);
  const at::Tensor mixed = project(at::matmul(scores.softmax(-1), project(h, "NIN_2")), "NIN_3");
  const at::Tensor expected = (x + mixed.transpose(1, 2).view_as(x)) / std::numbers::sqrt2;
  EXPECT_TRUE(at::allclose(block.forward(x), expected, 1e-5, 1e-5));
  const at::InferenceMode inference;
  EXPECT_TRUE(at::allclose(block.forward(x.contiguous(at::MemoryFormat::ChannelsLast)), expected, 1e-5, 1e-5));
}

TEST(AttentionBlock, IgnoresTheKeysBiasAndTheOrderOfPositions) {
  AttentionBlock block(8);
  randomise(block);
  const at::InferenceMode inference;
  const at::Tensor x = at::randn({1, 8, 2, 6}), before = block.forward(x);
  EXPECT_TRUE(at::allclose(block.forward(x.flip(3)).flip(3), before, 1e-5, 1e-5));
  parameter(block, "NIN_1.b").add_(3.0);
  EXPECT_TRUE(at::allclose(block.forward(x), before, 1e-4, 1e-5));
}

TEST(AttentionBlock, StartsAsAScaledIdentity) {
  AttentionBlock block(16);
  const at::Tensor x = at::randn({1, 16, 4, 4});
  EXPECT_TRUE(at::allclose(block.forward(x), x / std::numbers::sqrt2, 1e-4, 1e-4));
}

TEST(ResidualBlock, StartsAsAScaledIdentity) {
  ResidualBlock block(16, 16, 8);
  const at::Tensor x = at::randn({2, 16, 5, 4});
  EXPECT_TRUE(at::allclose(block.forward(x, at::randn({2, 8})), x / std::numbers::sqrt2, 1e-4, 1e-4));
}

TEST(ResidualBlock, HasAShortcutWhereChannelsChangeOrTheMapIsResampled) {
  const std::vector<std::string> plain = {
      "GroupNorm_0.weight", "GroupNorm_0.bias",   "Conv_0.weight",    "Conv_0.bias",   "Dense_0.weight",
      "Dense_0.bias",       "GroupNorm_1.weight", "GroupNorm_1.bias", "Conv_1.weight", "Conv_1.bias"};
  std::vector<std::string> shortcut = plain;
  shortcut.insert(shortcut.end(), {"Conv_2.weight", "Conv_2.bias"});
  EXPECT_EQ(names(ResidualBlock(8, 8, 4)), plain);
  EXPECT_EQ(names(ResidualBlock(8, 12, 4)), shortcut);
  EXPECT_EQ(names(ResidualBlock(8, 8, 4, Resample::kUp)), shortcut);
  EXPECT_EQ(names(ResidualBlock(8, 8, 4, Resample::kDown)), shortcut);
}

TEST(ResidualBlock, ResamplesTheShortcutToo) {
  ResidualBlock block(8, 8, 4, Resample::kDown);  // Conv_1 starts at 0: the shortcut alone is left
  const at::Tensor x = at::randn({1, 8, 6, 4}), temb = at::zeros({1, 4});
  const at::Tensor expected = at::conv2d(fir_down2(x), parameter(block, "Conv_2.weight")) / std::numbers::sqrt2;
  EXPECT_TRUE(at::allclose(block.forward(x, temb), expected, 1e-4, 1e-4));
}

TEST(ResidualBlock, IsTheSameAloneAsInABatchAndWithoutGradients) {
  ResidualBlock block(8, 12, 4, Resample::kUp);
  randomise(block);
  const at::Tensor x = at::randn({3, 8, 4, 6}), temb = at::randn({3, 4});
  const at::Tensor together = block.forward(x, temb);
  EXPECT_TRUE(at::allclose(block.forward(x.slice(0, 1, 2), temb.slice(0, 1, 2)), together.slice(0, 1, 2), 1e-4, 1e-5));
  const at::InferenceMode inference;
  const at::Tensor copy = x.clone();
  EXPECT_TRUE(at::allclose(block.forward(x, temb), together, 1e-4, 1e-5));
  EXPECT_TRUE(at::equal(x, copy)) << "the input was overwritten";
}

TEST(Combine, AddsAProjection) {
  Combine block(2, 3);
  randomise(block);
  const at::Tensor x = at::randn({1, 2, 4, 5}), h = at::randn({1, 3, 4, 5});
  const at::Tensor expected = at::conv2d(x, parameter(block, "Conv_0.weight"), parameter(block, "Conv_0.bias")) + h;
  EXPECT_TRUE(at::allclose(block.forward(x, h), expected, 1e-5, 1e-6));
}

}  // namespace
}  // namespace reseda::nn
