#include "pipelines/infrared/upscaler.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>

#include "pipelines/infrared/interpolation.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

using infrared::Interpolation;
using infrared::UpscaleContext;

/// Repeated pixels and noise.
class Noisy final : public infrared::Upscaler {
 public:
  std::int64_t scale() const override { return 4; }
  bool draws_noise() const override { return true; }
  bool adds_detail() const override { return true; }
  at::Tensor run(const at::Tensor& low, const UpscaleContext& context) const override {
    const at::Tensor wide = low.repeat_interleave(4, 2).repeat_interleave(4, 3);
    return wide + context.noise.normal({context.item, "prior", context.sample}, wide.sizes());
  }
  std::int64_t working_bytes(std::int64_t, std::int64_t) const override { return 0; }
};

at::Tensor ramp(std::int64_t height, std::int64_t width) {
  return at::linspace(-0.8, 0.8, height * width).view({1, 1, height, width});
}

TEST(Upscaler, MeanAndDeviationOfSamplesAreThoseOfStatistics) {
  CounterNoise noise(3);
  const UpscaleContext context{noise, "f"};
  const Noisy noisy;
  const at::Tensor low = ramp(3, 5);
  std::vector<at::Tensor> all;
  for (std::uint32_t i = 0; i < 5; ++i) all.push_back(noisy.run(low, {noise, "f", i}));
  const auto got = infrared::run_samples(noisy, low, 5, context);
  EXPECT_TRUE(at::allclose(got.mean, at::stack(all).mean(0), 0, 1e-6));
  EXPECT_TRUE(at::allclose(got.deviation, at::stack(all).std(0), 0, 1e-6));
  const auto one = infrared::run_samples(noisy, low, 1, context);
  EXPECT_TRUE(at::equal(one.mean, all[0]));
  EXPECT_FALSE(one.deviation.defined());
}

/// Repeated pixels, and the column of each added: what a turned frame gets is seen in its result.
class Lopsided final : public infrared::Upscaler {
 public:
  std::int64_t scale() const override { return 2; }
  bool draws_noise() const override { return false; }
  bool adds_detail() const override { return true; }
  at::Tensor run(const at::Tensor& low, const UpscaleContext&) const override {
    const at::Tensor wide = low.repeat_interleave(2, 2).repeat_interleave(2, 3);
    return wide + at::arange(wide.size(3), at::kFloat);
  }
  std::int64_t working_bytes(std::int64_t, std::int64_t) const override { return 0; }
};

TEST(Upscaler, SamplesWithoutNoiseAreOfTurnedFrames) {
  CounterNoise noise(0);
  const at::Tensor low = ramp(2, 3);  // 4 x 6 pixels, enlarged
  const at::Tensor got = infrared::run_samples(Lopsided(), low, 8, {noise, "f"}).mean;
  // Each of the four directions twice: i and 5 - i along the rows, j and 3 - j along the columns, in the mean 2 of 8.
  const at::Tensor expected = low.repeat_interleave(2, 2).repeat_interleave(2, 3) + (2 * 5 + 2 * 3) / 8.0;
  EXPECT_TRUE(at::allclose(got, expected, 0, 1e-5)) << got;
  const at::Tensor two = infrared::run_samples(Lopsided(), low, 2, {noise, "f"}).mean -
                         low.repeat_interleave(2, 2).repeat_interleave(2, 3);
  // The second sample is turned by a quarter counter-clockwise: its columns are the rows.
  EXPECT_NEAR(two[0][0][0][0].item<double>(), (0 + 0) / 2.0, 1e-5);
  EXPECT_NEAR(two[0][0][3][0].item<double>(), (0 + 3) / 2.0, 1e-5);
  EXPECT_NEAR(two[0][0][0][5].item<double>(), (5 + 0) / 2.0, 1e-5);
}

TEST(Upscaler, InterpolationKeepsConstantsAndOrder) {
  CounterNoise noise(0);
  for (const char* kernel : {"pillow_bicubic", "pillow_lanczos"}) {
    const Interpolation upscaler(kernel, 4);
    const at::Tensor flat = upscaler.run(at::full({1, 1, 1, 7}, 0.25), {noise, "f"});
    EXPECT_EQ(flat.sizes(), at::IntArrayRef({1, 1, 4, 28}));
    EXPECT_TRUE(at::allclose(flat, at::full_like(flat, 0.25), 0, 1e-6));
    const at::Tensor row = upscaler.run(at::linspace(-1, 1, 8).view({1, 1, 1, 8}), {noise, "f"})[0][0][0];
    EXPECT_TRUE((row.diff() >= 0).all().item<bool>());
  }
  const at::Tensor low = ramp(3, 4);
  EXPECT_TRUE(at::equal(Interpolation("pillow_bicubic", 1).run(low, {noise, "f"}), low));
}

TEST(Upscaler, ShrunkHalvesTheScaleAndKeepsTheMean) {
  CounterNoise noise(0);
  const infrared::Shrunk two(std::make_unique<Interpolation>("pillow_bicubic", 4), 2);
  const at::Tensor low = ramp(6, 5), high = two.run(low, {noise, "f"});
  EXPECT_EQ(high.sizes(), at::IntArrayRef({1, 1, 12, 10}));
  EXPECT_EQ(two.scale(), 2);
  EXPECT_NEAR(high.mean().item<double>(), low.mean().item<double>(), 1e-3);
  EXPECT_TRUE(at::allclose(high, Interpolation("pillow_bicubic", 2).run(low, {noise, "f"}), 0, 0.05));
}

TEST(Upscaler, BackProjectionBringsTheResultToTheFrame) {
  const at::Tensor low = ramp(8, 8), off = low.repeat_interleave(4, 2).repeat_interleave(4, 3) + 0.1;
  const infrared::Agreement before = infrared::agreement(off, low);
  EXPECT_NEAR(before.mean, 0.1, 1e-3);
  const infrared::Agreement once = infrared::agreement(infrared::back_project(off, low, 1), low);
  const infrared::Agreement thrice = infrared::agreement(infrared::back_project(off, low, 3), low);
  EXPECT_LT(once.rms, before.rms / 10);
  EXPECT_LT(thrice.rms, once.rms);
  EXPECT_TRUE(at::equal(infrared::back_project(off, low, 0), off));
}

TEST(Upscaler, RefusesResultsThatAreNone) {
  CounterNoise noise(0);
  const at::Tensor low = ramp(8, 8), good = Interpolation("pillow_bicubic", 4).run(low, {noise, "f"});
  EXPECT_NO_THROW(infrared::check_result(good, low, "f.png"));
  const auto refused = [&](const at::Tensor& high, const char* text) {
    expect_error(Errc::kNumeric, text, [&] { infrared::check_result(high, low, "f.png"); });
  };
  at::Tensor nan = good.clone();
  nan[0][0][3][3] = std::numeric_limits<float>::quiet_NaN();
  refused(nan, "f.png: the result has NaN or infinite values");
  refused(at::full_like(good, -1), "f.png: the result is constant");
  refused(1e-6 * good, "f.png: the result is constant");
  refused(-good, "does not agree with the frame");
  refused(good + 0.9, "does not agree with the frame");
  EXPECT_NO_THROW(infrared::check_result(at::zeros({1, 1, 4, 4}), at::zeros({1, 1, 1, 1}), "constant frames"));
  EXPECT_NO_THROW(
      infrared::check_result(at::zeros({1, 1, 32, 32}), 1e-6 * low, "frames of one value but for rounding"));
}

}  // namespace
}  // namespace reseda::tests
