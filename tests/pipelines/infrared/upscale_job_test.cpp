#include "pipelines/infrared/upscale_job.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/record/atomic_file.hpp"
#include "pipelines/infrared/interpolation.hpp"
#include "pipelines/infrared/tiled_upscaler.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

using infrared::UpscaleJob;
using infrared::UpscaleRequest;

/// Repeated pixels with a little noise.
infrared::TiledUpscaler noisy_upscaler() {
  const infrared::TileNetworkTraits traits{
      .scale = 4, .draws_noise = true, .margin = 1, .blend = 1, .preferred_tile = 16};
  const infrared::TileNetwork network = [](const at::Tensor& low, const at::Tensor& noise) {
    return low.repeat_interleave(4, 2).repeat_interleave(4, 3) + 0.05 * noise;
  };
  return {network, traits, infrared::choose_tiling(traits, 0, 1 << 20)};
}

class UpscaleJobTest : public testing::Test {
 protected:
  /// A 16-bit frame of 20 x 24 counts from 3000 to 3400.
  static io::Image frame() {
    return {
        at::linspace(3000, 3400, 480).round().view({1, 20, 24}), 16, io::SampleType::kUnsigned, io::Alpha::kNone, {}};
  }
  /// Runs a job as the batch runner does. @return what is written
  io::Image result(const io::Image& image, const UpscaleRequest& request, const infrared::Upscaler& upscaler,
                   const std::string& output, const std::string& noise_name = "f") {
    app::BatchItem item{"in.tif", "in.tif", folder_ / output, io::staged_name(folder_ / output), 0};
    UpscaleJob job(item, noise_name, image, infrared::natural_range(image), request, upscaler, noise_);
    app::ItemContext context{item, {}};
    job.compute(context);
    folder_.write(item.staged.filename(), "");
    for (const auto& file : job.companions()) folder_.write(io::staged_name(file).filename(), "");
    job.save();
    facts_ = job.facts();
    return io::read_image(item.staged);
  }
  double fact(const char* name) const { return std::stod(facts_.find(name)->scalar()); }
  TemporaryFolder folder_;
  CounterNoise noise_{7};
  ConfigNode facts_;
};

TEST_F(UpscaleJobTest, CountsStayCounts) {
  const infrared::Interpolation bicubic("pillow_bicubic", 4);
  const io::Image image = frame(), out = result(image, {}, bicubic, "out.tif");
  EXPECT_EQ(out.bits, 16);
  EXPECT_EQ(out.pixels.sizes(), at::IntArrayRef({1, 80, 96}));
  EXPECT_NEAR(out.pixels.mean().item<double>(), image.pixels.mean().item<double>(), 0.5);
  EXPECT_EQ(fact("range_low"), 3000);
  EXPECT_EQ(fact("range_high"), 3400);
  EXPECT_LT(std::abs(fact("mean_offset")), 0.1);
  EXPECT_EQ(fact("width"), 96);
}

TEST_F(UpscaleJobTest, MoreSamplesLessNoiseAndAMapOfIt) {
  const infrared::TiledUpscaler noisy = noisy_upscaler();
  const at::Tensor clean = frame().pixels.repeat_interleave(4, 1).repeat_interleave(4, 2);
  const auto error = [&](const io::Image& out) { return (out.pixels - clean).square().mean().sqrt().item<double>(); };
  UpscaleRequest request;
  const double one = error(result(frame(), request, noisy, "one.tif"));
  EXPECT_NEAR(one, 0.05 * 200, 1) << "200 counts are 1";
  request.samples = 16;
  request.uncertainty = true;
  EXPECT_NEAR(error(result(frame(), request, noisy, "many.tif")), one / 4, 0.4);
  const io::Image map = io::read_image(io::staged_name(folder_ / "many.tif.uncertainty.tif"));
  EXPECT_EQ(map.type, io::SampleType::kFloat);
  EXPECT_EQ(map.pixels.sizes(), at::IntArrayRef({1, 80, 96}));
  EXPECT_NEAR(map.pixels.mean().item<double>(), 10, 0.5);
}

TEST_F(UpscaleJobTest, OfOneSampleTheMapIsTheDistanceFromInterpolation) {
  UpscaleRequest request;
  request.uncertainty = true;
  const io::Image out = result(frame(), request, noisy_upscaler(), "out.tif");
  const io::Image map = io::read_image(io::staged_name(folder_ / "out.tif.uncertainty.tif"));
  const io::Image smooth = result(frame(), {}, infrared::Interpolation("pillow_bicubic", 4), "smooth.tif");
  EXPECT_LE(((out.pixels - smooth.pixels).abs() - map.pixels).abs().max().item<double>(), 1.01) << "but for rounding";
}

TEST_F(UpscaleJobTest, ConsistencyTakesTheOffsetAway) {
  const infrared::TileNetworkTraits traits{.margin = 1, .blend = 1, .preferred_tile = 16};
  const infrared::TiledUpscaler shifted(
      [](const at::Tensor& low, const at::Tensor&) {
        return low.repeat_interleave(4, 2).repeat_interleave(4, 3) + 0.02;
      },
      traits, infrared::choose_tiling(traits, 0, 1 << 20));
  result(frame(), {}, shifted, "off.tif");
  EXPECT_NEAR(fact("mean_offset"), 4, 0.2);
  UpscaleRequest request;
  request.consistency = 2;
  result(frame(), request, shifted, "on.tif");
  EXPECT_LT(std::abs(fact("mean_offset")), 0.1);
}

TEST_F(UpscaleJobTest, RefusesWhatCannotBeBeforeAnyWork) {
  const infrared::Interpolation bicubic("pillow_bicubic", 4);
  expect_error(Errc::kOutput, "in.tif: ", [&] { result(frame(), {}, bicubic, "out.jpg"); });
  UpscaleRequest request;
  request.max_memory = std::int64_t{200} << 20;
  expect_error(Errc::kUsage, "in.tif: 24 x 20 pixels enlarged 4 times need",
               [&] { result(frame(), request, bicubic, "out.tif"); });
  request = {};
  request.samples = 2;
  expect_error(Errc::kUsage, "--samples", [&] { request.check(bicubic); });
  request = {};
  request.uncertainty = true;
  expect_error(Errc::kUsage, "--uncertainty", [&] { request.check(bicubic); });
  EXPECT_NO_THROW(request.check(noisy_upscaler()));
}

TEST_F(UpscaleJobTest, ABlackPictureIsAnError) {
  const infrared::TileNetworkTraits traits{.margin = 1, .blend = 1, .preferred_tile = 16};
  const infrared::TiledUpscaler black(
      [](const at::Tensor& low, const at::Tensor&) {
        return at::full({low.size(0), 1, 4 * low.size(2), 4 * low.size(3)}, -1.0);
      },
      traits, infrared::choose_tiling(traits, 0, 1 << 20));
  expect_error(Errc::kNumeric, "in.tif: the result", [&] { result(frame(), {}, black, "out.tif"); });
}

TEST_F(UpscaleJobTest, SequencesShareNoise) {
  const infrared::TiledUpscaler noisy = noisy_upscaler();
  const at::Tensor a = result(frame(), {}, noisy, "a.tif", "s").pixels,
                   b = result(frame(), {}, noisy, "b.tif", "s").pixels;
  EXPECT_TRUE(at::equal(a, b));
  EXPECT_FALSE(at::equal(a, result(frame(), {}, noisy, "c.tif", "t").pixels));
}

}  // namespace
}  // namespace reseda::tests
