#include "modules/nn/fir.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "modules/core/error.hpp"

namespace reseda::nn {
namespace {

at::Tensor column(std::vector<float> values) {
  const auto size = static_cast<std::int64_t>(values.size());
  return at::tensor(values).view({1, 1, size, 1}).expand({1, 1, size, 8}).contiguous();
}

/// An inner column of the result, free of the borders on the other axis.
std::vector<float> inner(const at::Tensor& map) {
  const at::Tensor line = map.select(3, map.size(3) / 2 - 1).flatten().contiguous();
  return {line.data_ptr<float>(), line.data_ptr<float>() + line.numel()};
}

TEST(Fir, UpFollowsItsClosedForm) {
  // even: (x[m-1] + 3 x[m]) / 4, odd: (3 x[m] + x[m+1]) / 4, zero outside
  EXPECT_EQ(inner(fir_up2(column({4, 8, 20}))), (std::vector<float>{3, 5, 7, 11, 17, 15}));
}

TEST(Fir, DownFollowsItsClosedForm) {
  // (x[2m-1] + 3 x[2m] + 3 x[2m+1] + x[2m+2]) / 8
  EXPECT_EQ(inner(fir_down2(column({8, 16, 24, 48}))), (std::vector<float>{12, 29}));
}

TEST(Fir, DownOfAnOddSizeDropsTheLastButSeesIt) {
  const at::Tensor out = fir_down2(column({8, 16, 24, 48, 80}));
  EXPECT_EQ(out.size(2), 2);
  EXPECT_EQ(inner(out), (std::vector<float>{12, 39}));
}

TEST(Fir, ConstantsKeepTheirValueInsideAndLoseSomeAtTheBorder) {
  const at::Tensor ones = at::ones({2, 3, 8, 8});
  const at::Tensor down = fir_down2(ones), up = fir_up2(ones);
  EXPECT_FLOAT_EQ(down[1][2][1][1].item<float>(), 1);
  EXPECT_FLOAT_EQ(down[1][2][0][1].item<float>(), 7.F / 8);
  EXPECT_FLOAT_EQ(down[1][2][0][0].item<float>(), 49.F / 64);
  EXPECT_FLOAT_EQ(up[0][1][7][7].item<float>(), 1);
  EXPECT_FLOAT_EQ(up[0][1][0][7].item<float>(), 0.75F);
  EXPECT_FLOAT_EQ(up[0][1][0][15].item<float>(), 0.5625F);
}

TEST(Fir, DownIsAQuarterOfTheAdjointOfUp) {
  const at::Tensor x = at::randn({2, 3, 6, 10}, at::kDouble), z = at::randn({2, 3, 3, 5}, at::kDouble);
  EXPECT_NEAR((fir_down2(x) * z).sum().item<double>(), (x * fir_up2(z)).sum().item<double>() / 4, 1e-12);
}

TEST(Fir, ChannelsStayApart) {
  at::Tensor x = at::zeros({1, 2, 4, 4});
  x[0][0].fill_(1);
  EXPECT_EQ(fir_up2(x)[0][1].abs().max().item<float>(), 0);
  EXPECT_EQ(fir_down2(x)[0][1].abs().max().item<float>(), 0);
}

TEST(Fir, MemoryLayoutDoesNotMatter) {
  const at::Tensor x = at::randn({2, 5, 6, 8}), last = x.contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_TRUE(at::allclose(fir_up2(x), fir_up2(last), 1e-6, 1e-6));
  EXPECT_TRUE(at::allclose(fir_down2(x), fir_down2(last), 1e-6, 1e-6));
}

TEST(Fir, GradientsAreTheAdjoints) {
  const at::Tensor x = at::randn({1, 2, 4, 6}).requires_grad_(), z = at::randn({1, 2, 2, 3});
  (fir_down2(x) * z).sum().backward();
  EXPECT_TRUE(at::allclose(x.grad(), fir_up2(z) / 4, 1e-6, 1e-6));
  const at::Tensor u = at::randn({1, 2, 2, 3}).requires_grad_(), w = at::randn({1, 2, 4, 6});
  (fir_up2(u) * w).sum().backward();
  EXPECT_TRUE(at::allclose(u.grad(), fir_down2(w) * 4, 1e-6, 1e-6));
}

TEST(Fir, OnePixelGrowsButCannotBeHalved) {
  EXPECT_EQ(fir_up2(at::ones({1, 1, 1, 1})).sum().item<float>(), 4 * 0.5625F);
  try {
    fir_down2(at::ones({1, 1, 1, 6}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kInput);
    EXPECT_STREQ(error.what(), "a map of 1 x 6 cannot be halved");
  }
}

}  // namespace
}  // namespace reseda::nn
