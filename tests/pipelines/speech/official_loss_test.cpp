#include "pipelines/speech/official_loss.hpp"

#include "tests/pipelines/speech/speech_fixture.hpp"

namespace reseda::speech {
namespace {

signal::StftConfig tiny_stft() { return {.n_fft = 30, .hop = 8, .window = "hann"}; }
constexpr std::int64_t kFrames = 9, kSamples = (kFrames - 1) * 8;

/// Items of 16 bins and 9 frames.
at::Tensor spectra(std::uint64_t seed, std::int64_t items = 2) {
  return CounterNoise(seed).normal({"test", "spectra"}, {items, 1, 16, kFrames}, at::kComplexFloat) * 0.2;
}

OfficialLoss make_loss(OfficialLossConfig config, const std::string& type) {
  config.num_frames = kFrames;
  return {config, {.loss_type = type, .sigma_data = 0.2}, tiny_stft(), {}};
}

std::unique_ptr<diffusion::Process> ou_ve() {
  ConfigNode node;
  node.set("name", "ou_ve");
  return diffusion::make_process(node);
}

DegradedBatch degraded(const OfficialLoss& loss, const at::Tensor& x0, const at::Tensor& y) {
  CounterNoise noise(1);
  return loss.degrade(*ou_ve(), x0, y, noise, 0);
}

/// Half the sum of squared moduli of one item.
double half_energy(const at::Tensor& item) { return 0.5 * item.abs().to(at::kDouble).square().sum().item<double>(); }

TEST(OfficialLoss, PutsEachItemAtItsTimeOnTheBridge) {
  const OfficialLoss loss = make_loss({.t_eps = 0.1}, "score_matching");
  const at::Tensor x0 = spectra(1, 40), y = spectra(2, 40);
  const DegradedBatch batch = degraded(loss, x0, y);
  EXPECT_GE(batch.t.min().item<double>(), 0.1);
  EXPECT_LT(batch.t.max().item<double>(), 1.0);
  EXPECT_NEAR(batch.t.mean().item<double>(), 0.55, 0.15);
  const auto marginal = ou_ve()->at(batch.t[7].item<double>());
  EXPECT_LT((batch.mean[7] - (marginal.a * x0[7] + marginal.b * y[7])).abs().max().item<double>(), 1e-6);
  EXPECT_NEAR(batch.sigma[7].item<double>(), marginal.c.scalar(), 1e-7);
  EXPECT_LT((batch.x_t - batch.mean - batch.sigma * batch.z).abs().max().item<double>(), 1e-6);
  EXPECT_NEAR(batch.z.abs().square().mean().item<double>(), 1.0, 0.05);
}

TEST(OfficialLoss, OfScoreMatchingVanishesAtTheScore) {
  const OfficialLoss loss = make_loss({}, "score_matching");
  const at::Tensor x0 = spectra(1), y = spectra(2);
  const DegradedBatch batch = degraded(loss, x0, y);
  EXPECT_NEAR(loss(-batch.z / batch.sigma, x0, batch).item<double>(), 0, 1e-8);
  const double at_zero = 0.5 * (half_energy(batch.z[0]) + half_energy(batch.z[1]));
  EXPECT_NEAR(loss(at::zeros_like(x0), x0, batch).item<double>(), at_zero, 1e-5 * at_zero);
}

TEST(OfficialLoss, OfTheDenoiserAimsAtTheMeanOfTheProcess) {
  const at::Tensor x0 = spectra(1), y = spectra(2);
  const OfficialLoss plain = make_loss({.weighting = "1"}, "denoiser");
  const DegradedBatch batch = degraded(plain, x0, y);
  const at::Tensor score = (batch.mean - batch.x_t) / batch.sigma.square();
  EXPECT_NEAR(plain(score, x0, batch).item<double>(), 0, 1e-6);
  // A score of zero leaves the error sigma z.
  std::array<double, 2> error{}, variance{};
  for (int i = 0; i < 2; ++i) {
    variance[i] = batch.sigma[i].square().item<double>();
    error[i] = variance[i] * half_energy(batch.z[i]);
  }
  const auto value = [&](const OfficialLossConfig& config) {
    return make_loss(config, "denoiser")(at::zeros_like(x0), x0, batch).item<double>();
  };
  const auto weight = [&](int i) { return (variance[i] + 0.04) / (variance[i] * 0.04); };
  const double sigma = 0.5 * (variance[0] * error[0] + variance[1] * error[1]),
               edm = 0.5 * (weight(0) * error[0] + weight(1) * error[1]),
               crossed = 0.5 * (weight(0) + weight(1)) * (error[0] + error[1]);
  EXPECT_NEAR(value({.weighting = "1"}), 0.5 * (error[0] + error[1]), 1e-5 * error[0]);
  EXPECT_NEAR(value({.weighting = "sigma^2"}), sigma, 1e-5 * sigma);
  EXPECT_NEAR(value({.weighting = "edm"}), edm, 1e-5 * edm);
  EXPECT_NEAR(value({.weighting = "edm", .official_quirks = true}), crossed, 1e-5 * crossed);
  EXPECT_GT(crossed, 1.5 * edm);
}

TEST(OfficialLoss, OfDataPredictionComparesSpectraAndWaves) {
  const at::Tensor x0 = spectra(1), estimate = spectra(3);
  const DegradedBatch batch = degraded(make_loss({}, "data_prediction"), x0, spectra(2));
  const double spectral =
      0.5 * (half_energy(estimate[0] - x0[0]) + half_energy(estimate[1] - x0[1])) / (16.0 * kFrames);
  const auto wave = [](const at::Tensor& spectrum) {
    return signal::istft(signal::expand(spectrum.squeeze(1), {}), tiny_stft(), kSamples);
  };
  const double absolute = 0.5 * (wave(estimate) - wave(x0)).abs().to(at::kDouble).mean().item<double>();
  const auto value = [&](const OfficialLossConfig& config, std::int64_t items = 2) {
    const auto first = [items](const at::Tensor& tensor) { return tensor.narrow(0, 0, items); };
    return make_loss(config, "data_prediction")(first(estimate), first(x0), batch).item<double>();
  };
  EXPECT_NEAR(value({.l1_weight = 0}), spectral, 1e-5 * spectral);
  EXPECT_NEAR(value({.l1_weight = 10}), spectral + 10 * absolute, 1e-5 * (spectral + 10 * absolute));
  EXPECT_NEAR(value({.l1_weight = 10, .official_quirks = true}), value({.l1_weight = 10}), 1e-9);

  const double one = value({.l1_weight = 10}, 1) - value({.l1_weight = 0}, 1);
  EXPECT_NEAR(one, 5 * (wave(estimate) - wave(x0))[0].abs().mean().item<double>(), 1e-4 * one);
  const double quirk = value({.l1_weight = 10, .official_quirks = true}, 1) - value({.l1_weight = 0}, 1);
  EXPECT_NEAR(quirk, one / kSamples, 1e-3 * one / kSamples);
}

TEST(OfficialLoss, RefusesSettingsByName) {
  const auto refused = [](const OfficialLossConfig& config, const char* type, const std::string& part) {
    expect_error(Errc::kUsage, part, [&] { OfficialLoss(config, {.loss_type = type}, tiny_stft(), {}); });
  };
  refused({.weighting = "sigma"}, "denoiser", "loss.weighting must be 1, sigma^2 or edm, got 'sigma'");
  refused({.weighting = "1"}, "score_matching", "loss.weighting must be sigma^2 for score_matching");
  refused({.l1_weight = -1}, "data_prediction", "loss.l1_weight");
  refused({.t_eps = 0}, "data_prediction", "loss.t_eps");
  refused({.num_frames = 1}, "data_prediction", "loss.num_frames");
  refused({}, "other", "parametrization.loss_type");
}

}  // namespace
}  // namespace reseda::speech
