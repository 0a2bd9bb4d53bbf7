#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/core/error.hpp"
#include "modules/metrics/log_spectral_distance.hpp"
#include "modules/metrics/segmental_snr.hpp"
#include "tests/modules/metrics/made_signals.hpp"

namespace reseda::metrics {
namespace {

constexpr std::int64_t kRate = 16000;

TEST(WindowedFrames, HandValues) {
  // Frame of 4, hop of 2 at 1 kHz; Hann window 0, 1/2, 1, 1/2.
  const at::Tensor frames =
      WindowedFrames(at::arange(1, 8, at::kDouble), 1000, {.frame_s = 0.004, .hop_s = 0.002}).piece(0);
  EXPECT_TRUE(at::allclose(frames, at::tensor({0.0, 1.0, 3.0, 2.0, 0.0, 2.0, 5.0, 3.0}, at::kDouble).view({2, 4})));
  const at::Tensor filled =
      WindowedFrames(at::ones({3}, at::kDouble), 1000, {.frame_s = 0.004, .hop_s = 0.002}).piece(0);
  EXPECT_TRUE(at::allclose(filled, at::tensor({0.0, 0.5, 1.0, 0.0}, at::kDouble).view({1, 4})));
}

TEST(WindowedFrames, PiecesOfLongSignalsJoin) {
  // 60 s: more frames than one piece. A constant error ratio and a constant gain must come out over all pieces.
  const at::Tensor x = test::made_noise(60 * 8000, 3);
  const WindowedFrames frames(x, 8000, {});
  ASSERT_GT(frames.count(), WindowedFrames::kPiece);
  EXPECT_EQ(frames.piece(WindowedFrames::kPiece).size(0), frames.count() - WindowedFrames::kPiece);
  EXPECT_NEAR(segmental_snr(x, 0.9 * x, 8000), 20.0, 1e-9);
  EXPECT_NEAR(log_spectral_distance(x, 10 * x, 8000), 20.0, 1e-3) << "a few bins lie under the floor";
}

TEST(LogSpectralDistance, GainIsTheDistance) {
  const at::Tensor x = test::made_noise(8000, 3);
  EXPECT_EQ(log_spectral_distance(x, x, kRate), 0.0);
  EXPECT_NEAR(log_spectral_distance(x, 10 * x, kRate), 20.0, 1e-6);
  EXPECT_NEAR(log_spectral_distance(x, 0.5 * x, kRate), 6.020599913, 1e-4);
}

TEST(LogSpectralDistance, OneBinOfOneFrame) {
  // Frame of 4 = (0, a/2, b, c/2): rfft of length 4 gives P0, P1, P2. e differs from r in DC and Nyquist alone.
  const FrameConfig frames{.frame_s = 0.004, .hop_s = 0.004};
  const at::Tensor r = at::tensor({9.0, 2.0, 4.0, 4.0}, at::kDouble);  // (0, 1, 4, 2): P = 49, 16 + 1, (4 - 3)^2
  const at::Tensor e = at::tensor({9.0, 4.0, 4.0, 2.0}, at::kDouble);  // (0, 2, 4, 1): the same
  EXPECT_NEAR(log_spectral_distance(r, e, 1000, frames), 0.0, 1e-12);
  const at::Tensor f = at::tensor({9.0, 0.0, 4.0, 2.0}, at::kDouble);  // (0, 0, 4, 1): P = 25, 17, 9
  const double d0 = 10 * std::log10(49.0 / 25), d2 = 10 * std::log10(1.0 / 9);
  EXPECT_NEAR(log_spectral_distance(r, f, 1000, frames), std::sqrt((d0 * d0 + d2 * d2) / 3), 1e-12);
}

TEST(LogSpectralDistance, FloorAndSilence) {
  const at::Tensor x = test::made_noise(8000, 3), zero = at::zeros({8000}, at::kDouble);
  const double to_silence = log_spectral_distance(x, zero, kRate);
  EXPECT_GT(to_silence, 50.0);
  EXPECT_LE(to_silence, 80.0) << "80 dB under the reference's peak";
  EXPECT_NEAR(log_spectral_distance(x, 1e-9 * x, kRate), to_silence, 1e-9);
  EXPECT_TRUE(std::isnan(log_spectral_distance(zero, x, kRate)));
}

TEST(SegmentalSnr, ConstantRatioAndClamp) {
  const at::Tensor x = test::made_noise(8000, 3);
  EXPECT_NEAR(segmental_snr(x, 0.9 * x, kRate), 20.0, 1e-9) << "error 0.1 x";
  EXPECT_NEAR(segmental_snr(x, x + 0.1 * x, kRate), 20.0, 1e-9);
  EXPECT_EQ(segmental_snr(x, x, kRate), 35.0);
  EXPECT_EQ(segmental_snr(x, 100 * x, kRate), -10.0);
}

TEST(SegmentalSnr, MeanOverFramesThatHaveAReference) {
  // Frames of 4 without overlap, window 0, 1/2, 1, 1/2: first error 1 of 10 (20 dB), second the same size (0 dB), third
  // without a reference.
  const FrameConfig frames{.frame_s = 0.004, .hop_s = 0.004};
  const at::Tensor r = at::tensor({10, 10, 10, 10, 1, 1, 1, 1, 0, 0, 0, 0}, at::kDouble);
  const at::Tensor e = at::tensor({9, 9, 9, 9, 0, 0, 0, 0, 5, 5, 5, 5}, at::kDouble);
  EXPECT_NEAR(segmental_snr(r, e, 1000, frames), 10.0, 1e-12);
  EXPECT_TRUE(std::isnan(segmental_snr(at::zeros_like(r), e, 1000, frames)));
}

TEST(Framewise, Errors) {
  EXPECT_THROW(log_spectral_distance(at::zeros({5}), at::zeros({6}), kRate), Error);
  EXPECT_THROW(segmental_snr(at::ones({5}), at::ones({5}), 0), Error);
}

}  // namespace
}  // namespace reseda::metrics
