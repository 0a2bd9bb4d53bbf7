#include "modules/inverse/wavelets.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/core/noise.hpp"
#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/plug_and_play.hpp"
#include "modules/inverse/proximal_gradient.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

at::Tensor normal(at::IntArrayRef shape) { return CounterNoise(3).normal({"wavelets", "image"}, shape); }

/// y = scale x.
class Multiple final : public ForwardOperator {
 public:
  explicit Multiple(double scale) : scale_(scale) {}
  at::Tensor apply(const at::Tensor& x) const override { return scale_ * x; }
  at::Tensor adjoint(const at::Tensor& y) const override { return scale_ * y; }
  at::Tensor pseudo_inverse(const at::Tensor& y) const override { return y / scale_; }

 private:
  double scale_;
};

TEST(Wavelets, SynthesisInvertsAnalysisAndKeepsTheEnergy) {
  const at::Tensor x = normal({2, 3, 32, 48}).to(at::kDouble);
  const at::Tensor bands = wavelet_analysis(x, 4);
  EXPECT_LT((wavelet_synthesis(bands, 4) - x).abs().max().item<double>(), 1e-9);
  EXPECT_NEAR(bands.square().sum().item<double>(), x.square().sum().item<double>(), 1e-8);
  EXPECT_GT((bands - x).abs().max().item<double>(), 0.1);
}

TEST(Wavelets, FourVanishingMomentsLeaveNoDetailOfACubic) {
  // The periodic border makes detail of its own: look inside.
  const at::Tensor t = at::arange(64, at::kDouble) / 64;
  const at::Tensor cubic = (1 + t - 2 * t.square() + t.pow(3)).unsqueeze(0).expand({2, 64});
  const at::Tensor detail = wavelet_analysis(cubic, 1).slice(1, 32, 32 + 28);
  EXPECT_LT(detail.slice(0, 0, 1).abs().max().item<double>(), 1e-10);
}

TEST(Wavelets, AnImpulseBecomesTheFilter) {
  at::Tensor x = at::zeros({2, 16}, at::kDouble);
  x.select(1, 4).fill_(1);  // constant along the height, whose low band is sqrt(2)
  const at::Tensor bands = wavelet_analysis(x, 1);
  // low[n] = h[4 - 2 n]: h[4], h[2], h[0] at n = 0, 1, 2; high[n] = g[4 - 2 n], g[4] = -h[3]
  EXPECT_NEAR(bands[0][0].item<double>(), -0.187034811719093 * std::sqrt(2.0), 1e-9);
  EXPECT_NEAR(bands[0][2].item<double>(), 0.2303778133088965 * std::sqrt(2.0), 1e-9);
  EXPECT_NEAR(bands[0][8].item<double>(), 0.0279837694168599 * std::sqrt(2.0), 1e-9);
}

TEST(Wavelets, ShrinkingByNothingChangesNothingForAnySides) {
  const at::Tensor x = normal({1, 1, 37, 21});
  EXPECT_LT((shrink_wavelets(x, 0, 3, 5, 2) - x).abs().max().item<double>(), 1e-5);
  const at::Tensor flat = at::full({1, 1, 32, 32}, 0.75F);
  EXPECT_LT((shrink_wavelets(flat, 10, 3, 1, 1) - flat).abs().max().item<double>(), 1e-5) << "the coarse band stays";
}

TEST(Wavelets, ShrinkingTakesNoiseOutOfARamp) {
  const at::Tensor clean = (at::arange(64, at::kFloat) / 64).expand({1, 1, 64, 64}) + 0;
  const at::Tensor noisy = clean + 0.1 * normal({1, 1, 64, 64});
  const at::Tensor out = shrink_wavelets(noisy, 0.3, 3, 3, 6);
  const auto inside = [](const at::Tensor& x) { return x.slice(2, 8, 56).slice(3, 8, 56); };
  EXPECT_LT(inside(out - clean).square().mean().item<double>(), 0.2 * 0.01);
}

TEST(Wavelets, ComplexPartsShrinkAlone) {
  const at::Tensor re = normal({1, 1, 16, 16}), im = 2 * normal({1, 1, 16, 16}).flip(3);
  const at::Tensor both = shrink_wavelets(at::complex(re, im), 0.5, 2, 1, 3);
  EXPECT_TRUE(at::allclose(at::imag(both), shrink_wavelets(im, 0.5, 2, 1, 3)));
}

TEST(Wavelets, SidesMustFit) {
  tests::expect_error(Errc::kUsage, "multiples of 8", [] { wavelet_analysis(at::zeros({12, 16}), 3); });
}

TEST(ProximalGradient, FindsTheShrunkSolutionOfAScaledIdentity) {
  // argmin (y - a x)^2 / 2 + l |x|: x = shrink(a y, l) / a^2
  const Multiple op(0.5);
  const at::Tensor y = at::tensor({2.0, -1.0, 0.1}, at::kDouble).reshape({1, 1, 1, 3});
  const auto soft = [](const at::Tensor& x, std::int64_t) { return x.sign() * (x.abs() - 0.2).clamp_min(0); };
  const at::Tensor x = proximal_gradient(op, y, at::zeros_like(y), soft, 200, {});
  EXPECT_NEAR(x.flatten()[0].item<double>(), (1.0 - 0.2) / 0.25, 1e-4);
  EXPECT_NEAR(x.flatten()[1].item<double>(), -(0.5 - 0.2) / 0.25, 1e-4);
  EXPECT_EQ(x.flatten()[2].item<double>(), 0);
}

TEST(PlugAndPlay, OneStepIsTheCompromiseWithTheDenoisedImage) {
  // argmin (y - a x)^2 + rho (x - z)^2 = (a y + rho z) / (a^2 + rho), rho = 2 * 0.1^2 / 0.2^2 = 0.5, z = 3
  const Multiple op(0.5);
  const at::Tensor y = at::full({1, 1, 2, 2}, 4.0, at::kDouble);
  double asked = 0;
  const auto constant = [&](const at::Tensor& x, double sigma, std::int64_t) {
    asked = sigma;
    return at::full_like(x, 3.0);
  };
  const PlugAndPlaySettings settings{
      .steps = 1, .sigma_first = 0.4, .sigma_last = 0.2, .lambda = 2, .sigma_y = 0.1, .data = {50, 1e-12}};
  const at::Tensor x = plug_and_play(op, y, at::zeros_like(y), constant, settings, {});
  EXPECT_NEAR(x.mean().item<double>(), (2.0 + 1.5) / 0.75, 1e-9);
  EXPECT_DOUBLE_EQ(asked, 0.2);
  tests::expect_error(Errc::kUsage, "sigma_first >= sigma_last",
                      [&] { plug_and_play(op, y, y, constant, {.sigma_first = 0.1, .sigma_last = 0.2}, {}); });
}

}  // namespace
}  // namespace reseda::inverse
