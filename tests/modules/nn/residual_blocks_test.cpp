#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "modules/nn/ddpm_block.hpp"
#include "modules/nn/modulated_block.hpp"
#include "modules/nn/pixel_attention.hpp"
#include "modules/nn/plain_layers.hpp"
#include "modules/nn/sinusoidal_embedding.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::nn {
namespace {

using tests::expect_error;

at::Tensor parameter(const torch::nn::Module& module, const std::string& name) {
  return module.named_parameters()[name];
}

void randomise(const torch::nn::Module& module) {
  const at::NoGradGuard no_grad;
  for (const auto& item : module.named_parameters()) item.value().normal_(0, 0.3);
}

std::vector<std::string> names(const torch::nn::Module& module) {
  std::vector<std::string> out;
  for (const auto& item : module.named_parameters()) out.push_back(item.key());
  return out;
}

using Names = std::vector<std::string>;

TEST(PlainConv2d, StartsUniformWithinTheRootOfItsFan) {
  const PlainConv2d conv(50, 40, {.kernel = 4, .stride = 2, .padding = 1});
  const double bound = 1 / std::sqrt(50.0 * 16);
  for (const at::Tensor& tensor : {conv.weight, conv.bias}) EXPECT_LE(tensor.abs().max().item<double>(), bound);
  EXPECT_GT(conv.bias.abs().max().item<double>(), 0.5 * bound);
  EXPECT_NEAR(conv.weight.square().mean().item<double>(), bound * bound / 3, 0.02 * bound * bound);
  const PlainLinear linear(64, 30);
  EXPECT_LE(linear.weight.abs().max().item<double>(), 1.0 / 8);
  EXPECT_GT(linear.weight.abs().max().item<double>(), 0.9 / 8);
}

TEST(PlainConv2d, CanBeWithoutABias) {
  const PlainConv2d conv(2, 3, kPointwise, Bias::kNo);
  EXPECT_EQ(names(conv), Names{"weight"});
  const at::Tensor x = at::randn({2, 2, 3, 4});
  EXPECT_TRUE(at::allclose(conv.forward(x), from_tokens(conv.of_tokens(to_tokens(x)), 3, 4), 1e-5, 1e-6));
}

TEST(StandardizedConv2d, TakesMeanAndVarianceOffEachFilter) {
  const StandardizedConv2d conv(1, 1);
  const at::NoGradGuard no_grad;
  conv.weight.copy_(at::arange(1, 10, at::kFloat).view({1, 1, 3, 3}));  // mean 5, variance 60 / 9
  conv.bias.fill_(0.5);
  at::Tensor x = at::zeros({1, 1, 3, 3});
  x[0][0][1][1] = 1;
  const at::Tensor out = conv.forward(x)[0][0];
  const double unit = 1 / std::sqrt(60.0 / 9 + 1e-5);
  EXPECT_NEAR(out[1][1].item<double>(), 0.5, 1e-6);
  EXPECT_NEAR(out[0][0].item<double>(), 4 * unit + 0.5, 1e-6);   // the last weight
  EXPECT_NEAR(out[1][2].item<double>(), -1 * unit + 0.5, 1e-6);  // the fourth weight
}

TEST(StandardizedConv2d, IgnoresScaleAndOffsetOfAFilter) {
  StandardizedConv2d conv(4, 6);
  randomise(conv);
  const at::InferenceMode inference;
  const at::Tensor x = at::randn({2, 4, 5, 7}), before = conv.forward(x);
  conv.weight.mul_(3).add_(2);
  EXPECT_LE((conv.forward(x) - before).abs().max().item<double>(), 2e-3);
}

TEST(PlainGroupNorm, ModulatesAfterNormalising) {
  const PlainGroupNorm norm(1, 2, 0.0);
  const at::InferenceMode inference;
  const at::Tensor x = at::tensor({1.F, 3.F}).view({1, 2, 1, 1});  // normalised: -1, 1
  const at::Tensor scale = at::tensor({1.F, 2.F}).view({1, 2}), shift = at::tensor({10.F, 20.F}).view({1, 2});
  const at::Tensor expected = at::tensor({8.F, 23.F}).view({1, 2, 1, 1});
  EXPECT_TRUE(at::allclose(norm.forward(x, scale, shift), expected));
  const auto twice = [](const at::Tensor& one) { return at::cat({one, one}); };
  EXPECT_TRUE(at::allclose(norm.forward(twice(x), twice(scale), twice(shift)), twice(expected)));
}

TEST(PlainGroupNorm, RefusesGroupsThatDoNotDivide) {
  expect_error(Errc::kUsage, "a layer of 12 channels cannot be normalised in 8 groups",
               [] { PlainGroupNorm(8, 12, 1e-5); });
}

TEST(ChannelNorm, NormalisesEachPixelAndHasAGainAlone) {
  const ChannelNorm norm(2);
  EXPECT_EQ(names(norm), Names{"g"});
  EXPECT_EQ(norm.g.sizes(), (std::vector<std::int64_t>{1, 2, 1, 1}));
  const at::InferenceMode inference;
  norm.g[0][1] = 3;
  // Pixels (0, 2) and (5, 1): -1, 1 and 1, -1.
  const at::Tensor x = at::tensor({0.F, 5.F, 2.F, 1.F}).view({1, 2, 1, 2});
  EXPECT_TRUE(at::allclose(norm.forward(x), at::tensor({-1.F, 1.F, 3.F, -3.F}).view({1, 2, 1, 2}), 1e-4, 1e-4));
}

TEST(Sinusoidal, HasHandComputedValues) {
  const at::Tensor t = at::tensor({2.F});
  const auto close = [](const at::Tensor& got, std::vector<double> want) {
    return at::allclose(got.to(at::kDouble).flatten(), at::tensor(want), 1e-6, 1e-7);
  };
  using std::cos, std::sin;
  EXPECT_TRUE(close(sinusoidal_embedding(t, 4), {sin(2.0), sin(2e-4), cos(2.0), cos(2e-4)}));
  EXPECT_TRUE(close(sinusoidal_embedding(t, 5), {sin(2.0), sin(2e-4), cos(2.0), cos(2e-4), 0}));
  EXPECT_TRUE(close(cosine_first_embedding(t, 4), {cos(2.0), cos(2e-2), sin(2.0), sin(2e-2)}));
  EXPECT_TRUE(close(cosine_first_embedding(t, 5), {cos(2.0), cos(2e-2), sin(2.0), sin(2e-2), 0}));
}

/// q, k, v [B,heads,N,width] of an attention's projection.
std::vector<at::Tensor> projected(const torch::nn::Module& attention, const at::Tensor& x, AttentionHeads heads) {
  const at::Tensor all = at::conv2d(x, parameter(attention, "to_qkv.weight"));
  return all.view({x.size(0), 3, heads.count, heads.width, x.size(2) * x.size(3)}).transpose(3, 4).unbind(1);
}

at::Tensor pixels_last(const at::Tensor& mixed, const at::Tensor& x) {
  return mixed.transpose(2, 3).reshape({x.size(0), -1, x.size(2), x.size(3)});
}

TEST(LinearAttention, EqualsTheFormWithAMatrixOfAllPairs) {
  const AttentionHeads heads = {.count = 2, .width = 3};
  LinearAttention attention(5, heads);
  EXPECT_EQ(names(attention), (Names{"to_qkv.weight", "to_out.0.weight", "to_out.0.bias", "to_out.1.g"}));
  randomise(attention);
  const at::InferenceMode inference;
  const at::Tensor x = at::randn({2, 5, 3, 4});
  const auto qkv = projected(attention, x, heads);
  const at::Tensor weights = at::matmul(qkv[0].softmax(3), qkv[1].softmax(2).transpose(2, 3)) / std::sqrt(3.0);
  const at::Tensor mixed = pixels_last(at::matmul(weights, qkv[2]) / 12, x);
  const at::Tensor expected =
      at::conv2d(mixed, parameter(attention, "to_out.0.weight"), parameter(attention, "to_out.0.bias"));
  std::map<std::string, at::Tensor> seen;
  attention.forward(x, [&](const std::string& name, const at::Tensor& value) { seen[name] = value; });
  EXPECT_TRUE(at::allclose(seen.at("to_out.0"), expected, 1e-4, 1e-6));
}

TEST(FullAttention, EqualsTheFormWithAMatrixOfAllPairs) {
  const AttentionHeads heads = {.count = 2, .width = 3};
  FullAttention attention(5, heads);
  EXPECT_EQ(names(attention), (Names{"to_qkv.weight", "to_out.weight", "to_out.bias"}));
  randomise(attention);
  const at::InferenceMode inference;
  const at::Tensor x = at::randn({2, 5, 3, 4});
  const auto qkv = projected(attention, x, heads);
  const at::Tensor weights = (at::matmul(qkv[0], qkv[1].transpose(2, 3)) / std::sqrt(3.0)).softmax(3);
  const at::Tensor mixed = pixels_last(at::matmul(weights, qkv[2]), x);
  const at::Tensor expected =
      at::conv2d(mixed, parameter(attention, "to_out.weight"), parameter(attention, "to_out.bias"));
  EXPECT_TRUE(at::allclose(attention.forward(x), expected, 1e-4, 1e-6));
}

TEST(ResidualAttention, AddsTheAttentionOfTheNormalisedMap) {
  const auto inner = std::make_shared<FullAttention>(5);
  ResidualAttention residual(5, inner);
  EXPECT_EQ(names(residual), (Names{"fn.fn.to_qkv.weight", "fn.fn.to_out.weight", "fn.fn.to_out.bias", "fn.norm.g"}));
  randomise(residual);
  const at::Tensor x = at::randn({2, 5, 3, 4});
  ChannelNorm norm(5);
  const at::InferenceMode inference;
  norm.g.copy_(parameter(residual, "fn.norm.g"));
  EXPECT_TRUE(at::allclose(residual.forward(x), x + inner->forward(norm.forward(x)), 1e-5, 1e-6));
}

TEST(ModulatedBlock, NamesItsPartsOfficially) {
  EXPECT_EQ(names(ModulatedBlock(4, 8, 6, 2)),
            (Names{"mlp.1.weight", "mlp.1.bias", "block1.proj.weight", "block1.proj.bias", "block1.norm.weight",
                   "block1.norm.bias", "block2.proj.weight", "block2.proj.bias", "block2.norm.weight",
                   "block2.norm.bias", "res_conv.weight", "res_conv.bias"}));
  const ModulatedBlock same(4, 4, 0, 2);
  EXPECT_EQ(names(same).size(), 8U);
  EXPECT_EQ(names(same)[0], "block1.proj.weight");
}

TEST(ModulatedBlock, TakesScaleFromTheFirstHalfOfItsProjection) {
  ModulatedBlock block(4, 4, 1, 2);
  randomise(block);
  const at::InferenceMode inference;
  const at::Tensor x = at::randn({1, 4, 5, 5});
  // A scale of -1 and a shift of 0 leave silu(0) = 0 of the first half; the second half then sees a constant.
  parameter(block, "mlp.1.weight").zero_();
  const at::Tensor bias = parameter(block, "mlp.1.bias");
  bias.narrow(0, 0, 4).fill_(-1);
  bias.narrow(0, 4, 4).fill_(0);
  std::map<std::string, at::Tensor> seen;
  block.forward(x, at::zeros({1, 1}), [&](const std::string& name, const at::Tensor& value) { seen[name] = value; });
  EXPECT_TRUE(at::allclose(seen.at("block1"), at::zeros_like(x)));
}

TEST(DdpmBlock, NamesItsPartsOfficially) {
  EXPECT_EQ(
      names(DdpmBlock(32, 64, 6)),
      (Names{"norm1.weight", "norm1.bias", "conv1.weight", "conv1.bias", "temb_proj.weight", "temb_proj.bias",
             "norm2.weight", "norm2.bias", "conv2.weight", "conv2.bias", "nin_shortcut.weight", "nin_shortcut.bias"}));
  EXPECT_EQ(names(DdpmBlock(32, 32, 0)).size(), 8U);
  EXPECT_EQ(names(DdpmAttention(32)), (Names{"norm.weight", "norm.bias", "q.weight", "q.bias", "k.weight", "k.bias",
                                             "v.weight", "v.bias", "proj_out.weight", "proj_out.bias"}));
}

TEST(DdpmDownsample, PadsAfterTheLastRowAndColumn) {
  const DdpmDownsample down(1);
  const at::InferenceMode inference;
  parameter(down, "conv.weight").zero_();
  parameter(down, "conv.weight")[0][0][2][2] = 1;
  parameter(down, "conv.bias").zero_();
  const at::Tensor x = at::arange(16, at::kFloat).view({1, 1, 4, 4});
  // Row and column 2 2, and 4, which is outside.
  EXPECT_TRUE(at::equal(down.forward(x).flatten(), at::tensor({10.F, 0.F, 0.F, 0.F})));
}

TEST(RepeatPixels, RepeatsEachPixelFourTimes) {
  const at::Tensor x = at::tensor({1.F, 2.F}).view({1, 1, 1, 2});
  EXPECT_TRUE(at::equal(repeat_pixels(x).flatten(), at::tensor({1.F, 1.F, 2.F, 2.F, 1.F, 1.F, 2.F, 2.F})));
}

}  // namespace
}  // namespace reseda::nn
