#include "pipelines/speech/objective.hpp"

#include <ATen/core/grad_mode.h>
#include <map>

#include "pipelines/speech/loudness_distance.hpp"
#include "tests/pipelines/speech/speech_fixture.hpp"

namespace reseda::speech {
namespace {

constexpr std::int64_t kFrames = 64, kSamples = (kFrames - 1) * 32;

Mixer::Batch made_batch(std::int64_t pairs = 2, std::int64_t samples = kSamples) {
  std::vector<at::Tensor> clean, noisy;
  for (std::int64_t i = 0; i < pairs; ++i) {
    clean.push_back(made_speech(samples, 4000, 120 + 40.0 * static_cast<double>(i)));
    noisy.push_back(clean.back() + made_noise(samples, static_cast<std::uint64_t>(i), 0.05));
  }
  return {at::stack(clean), at::stack(noisy)};
}

/// A model whose network is out = mask_y y + mask_x x.
SpeechModel linear_model(double mask_y, double mask_x) {
  SpeechModel model(tiny_config());
  make_linear(model.network(), mask_y, mask_x);
  return model;
}

FewCallLossConfig only_spectral() {
  return {.spectral = 1, .wave = 0, .distortion = 0, .loudness = 0, .ideal_share = 0, .second_call_from = 1};
}

double total(const SpeechModel& model, const FewCallLossConfig& config, const Mixer::Batch& batch,
             double progress = 0.0) {
  const at::NoGradGuard no_grad;
  ZeroNoise noise;
  return few_call_loss(model, config, batch, 0, progress, noise).total.item<double>();
}

std::map<std::string, double> parts(const SpeechModel& model, const FewCallLossConfig& config,
                                    const Mixer::Batch& batch, double progress = 0.0) {
  const at::NoGradGuard no_grad;
  ZeroNoise noise;
  const train::StepLoss loss = few_call_loss(model, config, batch, 0, progress, noise);
  return {loss.parts.begin(), loss.parts.end()};
}

/// mean |X - X^|^2 + mean (|X| - |X^|)^2 for X^ = the given estimate, in double.
double spectral_error(const at::Tensor& target, const at::Tensor& estimate) {
  const at::Tensor x = target.to(at::kComplexDouble), e = estimate.to(at::kComplexDouble);
  return ((x - e).abs().square().mean() + (x.abs() - e.abs()).square().mean()).item<double>();
}

TEST(FewCallLoss, ComparesTheFirstCallFromY) {
  const Mixer::Batch batch = made_batch();
  const SpeechModel model = linear_model(0.5, 0.3);
  const at::Tensor x0 = model.analyse(batch.clean), y = model.analyse(batch.noisy);
  // At t_start the state is y: out = (0.5 + 0.3) y.
  EXPECT_NEAR(total(model, only_spectral(), batch), spectral_error(x0, 0.8 * y), 1e-6);
  FewCallLossConfig config = only_spectral();
  config.spectral = 20;
  EXPECT_NEAR(total(model, config, batch), 20 * spectral_error(x0, 0.8 * y), 1e-5);
}

TEST(FewCallLoss, ComparesWaves) {
  const Mixer::Batch batch = made_batch();
  FewCallLossConfig config = only_spectral();
  config.spectral = 0;
  config.wave = 2;
  // Spectra are square roots: a factor of 0.8 there is 0.64 on the wave.
  const double expected = (batch.clean - 0.64 * batch.noisy).abs().mean().item<double>();
  EXPECT_NEAR(total(linear_model(0.8, 0.0), config, batch), 2 * expected, 1e-6);
}

TEST(FewCallLoss, CountsDistortionInDecibels) {
  const Mixer::Batch batch = made_batch();
  FewCallLossConfig config = only_spectral();
  config.spectral = 0;
  config.distortion = 0.5;
  double sdr = 0;
  for (std::int64_t i = 0; i < 2; ++i) {
    const at::Tensor c = batch.clean[i].to(at::kDouble), e = batch.noisy[i].to(at::kDouble);
    const at::Tensor along = (e * c).sum() / c.square().sum() * c;
    const double signal = along.square().sum().item<double>(), error = (e - along).square().sum().item<double>();
    sdr += 0.5 * 10 * std::log10(signal / (error + 1e-3 * signal));
  }
  EXPECT_NEAR(total(linear_model(1.0, 0.0), config, batch), -0.5 * sdr, 1e-3);
  EXPECT_NEAR(total(linear_model(0.6, 0.0), config, batch), -0.5 * sdr, 1e-3) << "whatever the scale";
}

TEST(FewCallLoss, IsAtItsFloorWhereNothingIsToBeDone) {
  Mixer::Batch batch = made_batch();
  batch.noisy = batch.clean;
  const FewCallLossConfig config{.distortion = 1, .ideal_share = 0};
  const auto found = parts(linear_model(1.0, 0.0), config, batch);
  EXPECT_NEAR(found.at("spectral"), 0, 1e-12);
  EXPECT_NEAR(found.at("wave"), 0, 1e-6);
  EXPECT_NEAR(found.at("distortion"), -30, 0.01) << "limited to 30 dB";
}

TEST(FewCallLoss, CountsLoudness) {
  const Mixer::Batch batch = made_batch(1, 319 * 32);
  FewCallLossConfig config = only_spectral();
  config.spectral = 0;
  config.loudness = 3;
  const double expected = loudness_distance(batch.clean, batch.noisy).item<double>();
  EXPECT_GT(expected, 0.1);
  EXPECT_NEAR(total(linear_model(1.0, 0.0), config, batch), 3 * expected, 3e-3 * expected);
}

// ZeroNoise answers 0.5 to every uniform draw and 0 to every normal one.
TEST(FewCallLoss, TrainsAShareOfPairsOnIdealStates) {
  const Mixer::Batch batch = made_batch();
  const SpeechModel model = linear_model(0.5, 0.3);
  const at::Tensor x0 = model.analyse(batch.clean), y = model.analyse(batch.noisy);
  FewCallLossConfig config = only_spectral();
  config.ideal_share = 0.6;  // above 0.5: every pair
  const double t = config.t_low + (1 - config.t_low) * 0.5;
  const at::Tensor state = model.process().at(t).mean(x0, y);
  EXPECT_NEAR(total(model, config, batch), spectral_error(x0, 0.5 * y + 0.3 * state), 1e-6);
  config.ideal_share = 0.4;
  EXPECT_NEAR(total(model, config, batch), spectral_error(x0, 0.8 * y), 1e-6);
}

TEST(FewCallLoss, TrainsASecondCallOnTheFirstEstimate) {
  const Mixer::Batch batch = made_batch();
  const SpeechModel model = linear_model(0.5, 0.3);
  const at::Tensor x0 = model.analyse(batch.clean), y = model.analyse(batch.noisy);
  FewCallLossConfig config = only_spectral();
  config.ideal_share = 0.6;  // over once second calls begin
  config.second_call_from = 0.75;
  config.second_call_share = 0.5;  // one pair of two
  config.t_low = 0.2, config.t_high = 0.6;
  const diffusion::Marginal at_t = model.process().at(0.4);
  const at::Tensor again = 0.5 * y[0] + 0.3 * at_t.mean(0.8 * y[0], y[0]);
  const double first = spectral_error(x0, 0.8 * y), second = spectral_error(x0[0], again);
  EXPECT_NEAR(total(model, config, batch, 0.75), (first + 0.5 * second) / 1.5, 1e-6);
  EXPECT_NEAR(parts(model, config, batch, 0.75).at("second"), second, 1e-6);
  EXPECT_EQ(parts(model, config, batch, 0.74).count("second"), 0U);
}

TEST(FewCallLoss, SendsNoGradientThroughTheStateOfTheSecondCall) {
  const Mixer::Batch batch = made_batch(1);
  const SpeechModel model = linear_model(0.5, 0.3);
  const at::Tensor x0 = model.analyse(batch.clean), y = model.analyse(batch.noisy);
  FewCallLossConfig config = only_spectral();
  config.second_call_from = 0;
  config.second_call_share = 1;
  config.t_low = config.t_high = 0.4;
  ZeroNoise noise;
  few_call_loss(model, config, batch, 0, 0.0, noise).total.backward();
  double slope = 0;
  for (const auto& [name, tensor] : model.network().tensors())
    if (name == "head.bias") slope = tensor.grad().narrow(0, 0, tensor.size(0) / 6).sum().item<double>();

  // By differences over the mask of y, the state of the second call held where it is.
  const at::Tensor state = model.process().at(0.4).mean(0.8 * y, y);
  const auto loss = [&](double mask) {
    return 0.5 * (spectral_error(x0, (mask + 0.3) * y) + spectral_error(x0, mask * y + 0.3 * state));
  };
  const double expected = (loss(0.501) - loss(0.499)) / 0.002;
  EXPECT_GT(std::abs(expected), 1e-3);
  EXPECT_NEAR(slope, expected, 1e-3 * std::abs(expected));
}

TEST(FewCallLoss, DependsOnTheStepThroughItsDraws) {
  const Mixer::Batch batch = made_batch();
  const SpeechModel model = linear_model(0.5, 0.3);
  FewCallLossConfig config = only_spectral();
  config.ideal_share = 1;
  const at::NoGradGuard no_grad;
  CounterNoise noise(3);
  const auto at_step = [&](std::int64_t step) {
    return few_call_loss(model, config, batch, step, 0.0, noise).total.item<double>();
  };
  EXPECT_EQ(at_step(4), at_step(4));
  EXPECT_NE(at_step(4), at_step(5));
}

TEST(FewCallLoss, RefusesSettingsByName) {
  const auto refused = [](const FewCallLossConfig& config, const std::string& part) {
    expect_error(Errc::kUsage, part, [&] { config.validate(); });
  };
  refused({.spectral = -1}, "loss.spectral");
  refused({.loudness = -0.1}, "loudness");
  refused({.ideal_share = 1.1}, "loss.ideal_share");
  refused({.second_call_share = -0.1}, "second_call_share");
  refused({.t_low = 0}, "loss.t_low");
  refused({.t_low = 0.7, .t_high = 0.6}, "loss.t_low");
}

}  // namespace
}  // namespace reseda::speech
