#include "pipelines/speech/loudness_distance.hpp"

#include <vector>

#include "tests/pipelines/speech/speech_fixture.hpp"

namespace reseda::speech {
namespace {

constexpr std::int64_t kSamples = 32000;

at::Tensor clean() { return made_speech(kSamples).unsqueeze(0); }
at::Tensor noise(double rms, std::uint64_t seed = 1) { return made_noise(kSamples, seed, rms).unsqueeze(0); }

double distance(const at::Tensor& reference, const at::Tensor& estimate) {
  return loudness_distance(reference, estimate).item<double>();
}

/// Frequencies of a wave [1, L] within [low, high) Hz scaled by a factor.
at::Tensor band_scaled(const at::Tensor& wave, double low_hz, double high_hz, double factor) {
  const at::Tensor hz = at::arange(kSamples / 2 + 1, at::kDouble) * (16000.0 / kSamples);
  const at::Tensor inside = at::logical_and(hz >= low_hz, hz < high_hz).to(at::kFloat);
  return at::fft_irfft(at::fft_rfft(wave) * (1.0 + (factor - 1.0) * inside), kSamples);
}

TEST(LoudnessDistance, IsAtItsFloorForEqualSignals) {
  EXPECT_GE(distance(clean(), clean()), 0.0);
  EXPECT_LT(distance(clean(), clean()), 2e-3);
  EXPECT_LT(distance(noise(0.1), noise(0.1)), 2e-3);
}

TEST(LoudnessDistance, GrowsWithTheNoise) {
  double last = distance(clean(), clean());
  for (const double rms : {0.0003, 0.001, 0.003, 0.01, 0.03, 0.1}) {
    const double now = distance(clean(), clean() + noise(rms));
    EXPECT_GT(now, last) << rms;
    last = now;
  }
  EXPECT_GT(last, 1.0);
  EXPECT_LT(last, 6.0);
}

TEST(LoudnessDistance, DoesNotSeeTheEstimatesLevel) {
  const at::Tensor estimate = clean() + noise(0.02);
  const double reference = distance(clean(), estimate);
  for (const double gain : {0.05, 0.5, 3.0}) {
    EXPECT_NEAR(distance(clean(), gain * estimate), reference, 1e-3 * reference) << gain;
    EXPECT_NEAR(distance(gain * clean(), estimate), reference, 1e-3 * reference) << gain;
  }
  EXPECT_NEAR(distance(clean(), -estimate), reference, 1e-6) << "nor its sign";
}

TEST(LoudnessDistance, ForgivesAConstantFilterMoreThanNoiseOfTheSamePower) {
  const at::Tensor filtered = band_scaled(clean(), 1000, 3000, 0.7);
  const double power = (filtered - clean()).square().mean().sqrt().item<double>();
  EXPECT_LT(distance(clean(), filtered), 0.5 * distance(clean(), clean() + noise(power)));
}

TEST(LoudnessDistance, ForgivesASlowChangeOfGainMoreThanNoiseOfTheSamePower) {
  const at::Tensor time = at::arange(kSamples, at::kDouble) / 16000.0;
  const at::Tensor faded = clean() * (1.0 - 0.4 * (time * (2 * std::numbers::pi)).sin()).to(at::kFloat);
  const double power = (faded - clean()).square().mean().sqrt().item<double>();
  EXPECT_LT(distance(clean(), faded), 0.5 * distance(clean(), clean() + noise(power)));
}

// A steady sound with and without short bursts in one band, too rare to change its long-term spectrum: hearing them
// where they should not be costs more than missing them.
TEST(LoudnessDistance, WeighsAdditionsMoreThanLosses) {
  const at::Tensor gate = (at::arange(kSamples, at::kDouble) * (2 * std::numbers::pi / 16000.0)).sin().gt(0.97);
  const at::Tensor steady = noise(0.05), bursts = noise(0.15, 2) - band_scaled(noise(0.15, 2), 3000, 4000, 0.0);
  const at::Tensor with = steady + bursts * gate.to(at::kFloat);
  const double addition = distance(steady, with), loss = distance(with, steady);
  EXPECT_GT(addition, 1.2 * loss);
  EXPECT_GT(loss, 0.01);
}

TEST(LoudnessDistance, CountsEachItemOfABatchByItself) {
  const at::Tensor reference = at::cat({clean(), clean()}), estimate = at::cat({clean() + noise(0.01), clean()});
  const at::Tensor both = loudness_distance(reference, estimate);
  EXPECT_EQ(both.sizes(), (std::vector<std::int64_t>{2}));
  EXPECT_NEAR(both[0].item<double>(), distance(clean(), clean() + noise(0.01)), 1e-5);
  EXPECT_NEAR(both[1].item<double>(), distance(clean(), clean()), 1e-5);
}

TEST(LoudnessDistance, HasAFiniteGradientThatLeadsDownhill) {
  for (const at::Tensor& start : {at::Tensor(clean() + noise(0.02)), clean(), at::Tensor(at::zeros({1, kSamples})),
                                  at::Tensor(at::full({1, kSamples}, 0.2F))}) {
    const at::Tensor estimate = start.clone().requires_grad_();
    loudness_distance(clean(), estimate).sum().backward();
    EXPECT_TRUE(at::isfinite(estimate.grad()).all().item<bool>());
  }
  const at::Tensor estimate = (clean() + noise(0.02)).requires_grad_();
  const at::Tensor before = loudness_distance(clean(), estimate).sum();
  before.backward();
  const at::Tensor slope = estimate.grad(), length = slope.norm();
  const at::Tensor stepped = estimate.detach() - slope * (0.02 / length);
  EXPECT_LT(distance(clean(), stepped), before.item<double>());
}

TEST(LoudnessDistance, IsFiniteForSilence) {
  const at::Tensor silence = at::zeros({1, kSamples});
  EXPECT_TRUE(std::isfinite(distance(silence, silence)));
  EXPECT_TRUE(std::isfinite(distance(silence, noise(0.1))));
  EXPECT_TRUE(std::isfinite(distance(clean(), silence)));
}

TEST(LoudnessDistance, NeedsHalfASecondOfEqualLengths) {
  EXPECT_TRUE(std::isfinite(distance(clean().narrow(1, 0, 8192), noise(0.1).narrow(1, 0, 8192))));
  EXPECT_THROW(distance(clean().narrow(1, 0, 8191), noise(0.1).narrow(1, 0, 8191)), Error);
  EXPECT_THROW(distance(clean(), noise(0.1).narrow(1, 0, 10000)), Error);
}

}  // namespace
}  // namespace reseda::speech
