#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "modules/core/error.hpp"
#include "modules/nn/swin_layer.hpp"
#include "modules/nn/swin_window.hpp"
#include "modules/nn/vector_quantizer.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::nn {
namespace {

using tests::expect_error;

TEST(Windows, GoRowByRow) {
  const at::Tensor x = at::arange(48, at::kFloat).view({1, 2, 4, 6});
  const at::Tensor windows = to_windows(x, 2);
  ASSERT_EQ(windows.sizes(), (std::vector<std::int64_t>{1, 2, 3, 4, 2}));
  EXPECT_TRUE(at::equal(windows[0][0][1].select(-1, 0), at::tensor({2.F, 3.F, 8.F, 9.F})));
  EXPECT_TRUE(at::equal(windows[0][1][2].select(-1, 1), at::tensor({40.F, 41.F, 46.F, 47.F})));
}

TEST(Windows, GiveTheMapBackInBothLayouts) {
  const at::Tensor x = at::randn({2, 3, 8, 12});
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast})
    EXPECT_TRUE(at::equal(from_windows(to_windows(x.contiguous(format), 4), 4), x));
  expect_error(Errc::kInternal, "height and width must be multiples of 4, got 6 x 8", [] {
    to_windows(at::zeros({1, 1, 6, 8}), 4);
  });
}

TEST(Windows, CountOffsetsRowByRow) {
  const at::Tensor places = relative_positions(8, at::kCPU);
  const auto place = [&](std::int64_t asks, std::int64_t answers) {
    return places[asks][answers].item<std::int64_t>();
  };
  EXPECT_EQ(place(5, 5), 112);
  EXPECT_EQ(place(0, 63), 0);
  EXPECT_EQ(place(63, 0), 224);
  EXPECT_EQ(place(1, 0), 113);
  EXPECT_EQ(place(8, 0), 127);
}

std::int64_t count(const at::Tensor& allowed) { return allowed.sum().item<std::int64_t>(); }

TEST(Windows, OfResshiftAreCutInTheLastRowAlone) {
  const auto allowed = [](bool last_row, bool last_column) {
    return allowed_pairs(WindowMask::kResshift, 8, 4, {last_row, last_column}, at::kCPU);
  };
  EXPECT_EQ(count(allowed(false, false)), 4096);
  EXPECT_EQ(count(allowed(false, true)), 4096);
  EXPECT_EQ(count(allowed(true, false)), 2048);
  EXPECT_TRUE(at::equal(allowed(true, true), allowed(true, false)));
  EXPECT_TRUE(allowed(true, false)[0][59].item<bool>());  // left and left, top and bottom
  EXPECT_FALSE(allowed(true, false)[0][4].item<bool>());  // left and right
  EXPECT_TRUE(allowed(true, false)[60][7].item<bool>());
}

TEST(Windows, OfSwinKeepApartWhatTheMoveBroughtTogether) {
  const auto allowed = [](bool last_row, bool last_column) {
    return allowed_pairs(WindowMask::kSwin, 8, 4, {last_row, last_column}, at::kCPU);
  };
  EXPECT_EQ(count(allowed(false, false)), 4096);
  EXPECT_EQ(count(allowed(true, false)), 2048);
  EXPECT_FALSE(allowed(true, false)[0][59].item<bool>());  // top and bottom
  EXPECT_TRUE(allowed(true, false)[0][4].item<bool>());
  EXPECT_FALSE(allowed(false, true)[0][4].item<bool>());
  EXPECT_EQ(count(allowed(true, true)), 1024);
}

/// Random weights of moderate size, also where a block starts at 0.
template <class Module>
void randomise(Module& module) {
  const at::NoGradGuard no_grad;
  for (at::Tensor& parameter : module.parameters()) parameter.normal_(0, 0.3);
}

/// How much the last columns of a moved map change when its first columns do, in the first and in the last row.
std::pair<double, double> leak(WindowMask mask) {
  const c10::InferenceMode inference;
  WindowAttention attention(8, {.heads = 2, .side = 4, .shift = 2, .mask = mask});
  randomise(attention);
  const auto run = [&](const at::Tensor& x) {
    const at::Tensor windows = to_windows(at::roll(x, {-2, -2}, {2, 3}), 4);
    return at::roll(from_windows(attention.forward(windows), 4), {2, 2}, {2, 3});
  };
  const at::Tensor x = at::randn({1, 8, 8, 12});
  at::Tensor other = x.clone();
  other.slice(3, 0, 2).add_(1);
  const at::Tensor change = (run(other) - run(x)).abs().slice(3, 10, 12);
  return {change.slice(2, 2, 4).max().item<double>(), change.slice(2, 6, 8).max().item<double>()};
}

TEST(WindowAttention, LeaksAroundTheEdgeAsItsMaskSays) {
  const auto [inside, last] = leak(WindowMask::kResshift);
  EXPECT_GT(inside, 1e-3);
  EXPECT_LT(last, 1e-6);
  const auto [swin_inside, swin_last] = leak(WindowMask::kSwin);
  EXPECT_LT(swin_inside, 1e-6);
  EXPECT_LT(swin_last, 1e-6);
}

TEST(WindowAttention, IsAMeanOfValuesWhereNothingElseIsLearnt) {
  const c10::InferenceMode inference;
  WindowAttention attention(4, {.heads = 2, .side = 2});
  for (auto& item : attention.named_parameters()) item.value().zero_();
  auto parameters = attention.named_parameters();
  parameters["qkv.weight"].slice(0, 8, 12).copy_(at::eye(4));
  parameters["proj.weight"].copy_(2 * at::eye(4));
  const at::Tensor windows = at::randn({2, 1, 3, 4, 4});
  const at::Tensor expected = 2 * windows.mean(3, /*keepdim=*/true).expand_as(windows);
  EXPECT_TRUE(at::allclose(attention.forward(windows), expected, 1e-5, 1e-6));
  // The bias of an offset that pixel 0 alone has, to pixel 3, lets it look there only.
  parameters["relative_position_bias_table"][0].fill_(200);
  const at::Tensor out = attention.forward(windows);
  EXPECT_TRUE(at::allclose(out.select(3, 0), 2 * windows.select(3, 3), 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(out.select(3, 3), expected.select(3, 3), 1e-5, 1e-6));
}

TEST(WindowAttention, RefusesHeadsThatDoNotDivideItsChannels) {
  expect_error(Errc::kUsage, "attention over 8 channels cannot have 3 heads",
               [] { WindowAttention(8, {.heads = 3, .side = 4}); });
}

TEST(SwinLayer, NeitherMovesNorExceedsASmallMap) {
  EXPECT_EQ(SwinLayer::side(8, 4), 4);
  EXPECT_EQ(SwinLayer::side(8, 64), 8);
  const auto run = [](std::int64_t nominal) {
    const c10::InferenceMode inference;
    at::manual_seed(3);
    SwinLayer layer(4, {.channels = 32, .heads = 4, .window = 4, .mlp_ratio = 1, .nominal = nominal});
    randomise(layer);
    return layer.forward(at::ones({1, 4, 8, 8}) + at::arange(8, at::kFloat), {});
  };
  EXPECT_TRUE(at::equal(run(8), run(64)));
  EXPECT_FALSE(at::allclose(run(4), run(8)));
}

TEST(SwinLayer, NamesItsNorms) {
  const SwinLayer layer(32, {.channels = 64, .heads = 4, .window = 4, .patch_norm = true});
  EXPECT_TRUE(layer.named_parameters().contains("patch_embed.norm.weight"));
  EXPECT_EQ(layer.named_parameters()["patch_unembed.norm.bias"].numel(), 32);
}

TEST(VectorQuantizer, TakesTheFirstOfTheNearestCodes) {
  VectorQuantizer quantizer(3, 1);
  {
    const at::NoGradGuard no_grad;
    quantizer.parameters()[0].copy_(at::tensor({-1.F, 0.F, 2.F}).view({3, 1}));
  }
  const at::Tensor z = at::tensor({0.4F, 1.F, 5.F, -3.F}).view({1, 1, 2, 2}).requires_grad_();
  const Quantised quantised = quantizer.forward(z);
  EXPECT_TRUE(at::equal(quantised.indices.flatten(), at::tensor({1, 1, 2, 0}, at::kLong)));
  EXPECT_TRUE(at::allclose(quantised.z.flatten(), at::tensor({0.F, 0.F, 2.F, -1.F})));
  (quantised.z * at::tensor({1.F, 2.F, 3.F, 4.F}).view({1, 1, 2, 2})).sum().backward();
  EXPECT_TRUE(at::equal(z.grad().flatten(), at::tensor({1.F, 2.F, 3.F, 4.F})));
  EXPECT_FALSE(quantizer.parameters()[0].grad().defined());
}

TEST(VectorQuantizer, GivesTheSameForPartsOfTheMap) {
  // More codes than distances of two pixels are computed at a time.
  const c10::InferenceMode inference;
  VectorQuantizer quantizer(std::int64_t{3} << 20, 1);
  quantizer.parameters()[0].copy_(at::arange(std::int64_t{3} << 20, at::kFloat).unsqueeze(1));
  const at::Tensor z = at::tensor({5.2F, 1000.4F, 0.F, 77.7F}).view({2, 1, 1, 2});
  EXPECT_TRUE(at::equal(quantizer.forward(z).indices.flatten(), at::tensor({5, 1000, 0, 78}, at::kLong)));
}

}  // namespace
}  // namespace reseda::nn
