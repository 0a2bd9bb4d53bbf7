#include "pipelines/speech/objective.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <string>

#include "pipelines/speech/loudness_distance.hpp"

namespace reseda::speech {
namespace {

at::Tensor modulus(const at::Tensor& z) { return (at::real(z).square() + at::imag(z).square() + 1e-10).sqrt(); }

struct Parts {
  at::Tensor spectral, wave, distortion, loudness;
};

/// Mean SI-SDR in dB, limited to 30 dB by a floor on the error. [B,L] -> scalar
at::Tensor si_sdr_db(const at::Tensor& clean, const at::Tensor& estimate) {
  const at::Tensor energy = clean.square().sum(-1, true) + 1e-8;
  const at::Tensor target = (estimate * clean).sum(-1, true) / energy * clean;
  const at::Tensor signal = target.square().sum(-1) + 1e-8, error = (estimate - target).square().sum(-1);
  return (10.0 * (signal / (error + 1e-3 * signal)).log10()).mean();
}

Parts errors(const SpeechModel& model, const FewCallLossConfig& config, const at::Tensor& target,
             const at::Tensor& wave, const at::Tensor& estimate) {
  Parts parts;
  const at::Tensor difference = target - estimate;
  parts.spectral = (at::real(difference).square() + at::imag(difference).square()).mean() +
                   (modulus(target) - modulus(estimate)).square().mean();
  const at::Tensor sound = model.synthesise(estimate, wave.size(1));
  parts.wave = (sound - wave).abs().mean();
  parts.distortion = config.distortion > 0 ? -si_sdr_db(wave, sound) : at::zeros({}, wave.options());
  parts.loudness = config.loudness > 0 ? loudness_distance(wave, sound).mean() : at::zeros({}, wave.options());
  return parts;
}

at::Tensor weighted(const FewCallLossConfig& config, const Parts& parts) {
  return config.spectral * parts.spectral + config.wave * parts.wave + config.distortion * parts.distortion +
         config.loudness * parts.loudness;
}

}  // namespace

void FewCallLossConfig::validate() const {
  RESEDA_REQUIRE(spectral >= 0 && wave >= 0 && distortion >= 0 && loudness >= 0, Errc::kUsage,
                 "loss.spectral, wave, distortion and loudness must not be negative");
  RESEDA_REQUIRE(ideal_share >= 0 && ideal_share <= 1 && second_call_share >= 0 && second_call_share <= 1, Errc::kUsage,
                 "loss.ideal_share and second_call_share must be in [0, 1]");
  RESEDA_REQUIRE(0 < t_low && t_low <= t_high && t_high <= 1, Errc::kUsage, "loss.t_low to t_high must lie in (0, 1]");
}

train::StepLoss few_call_loss(const SpeechModel& model, const FewCallLossConfig& config, const Mixer::Batch& batch,
                              std::int64_t step, double progress, NoiseSource& noise) {
  const std::int64_t pairs = batch.clean.size(0);
  const at::Tensor target = model.analyse(batch.clean), y = model.analyse(batch.noisy);
  const diffusion::Process& process = model.process();
  const auto draw = static_cast<std::uint32_t>(step);
  const at::Tensor u = noise.uniform({"train", "time", draw}, {2, pairs}).to(at::kDouble);
  const bool second = progress >= config.second_call_from;

  // First call: t_start with state y, or for a share of the pairs an ideal state at a uniform time.
  std::vector<at::Tensor> states;
  std::vector<double> times;
  for (std::int64_t i = 0; i < pairs; ++i) {
    const bool ideal = !second && u[0][i].item<double>() < config.ideal_share;
    double t = process.t_start();
    at::Tensor state = y[i];
    if (ideal) {
      t = config.t_low + (1.0 - config.t_low) * u[1][i].item<double>();
      const std::string stream = "state " + std::to_string(i);  // a key holds a view of it
      const DrawKey key{"train", stream, draw};
      state = process.at(t).sample(target[i], y[i], noise.normal(key, y[i].sizes(), at::kComplexFloat).to(y.device()));
    }
    states.push_back(state);
    times.push_back(process.network_time(t));
  }
  const at::Tensor first = model.network().forward(at::stack(states), y, at::tensor(times, at::kFloat).to(y.device()));
  const Parts parts = errors(model, config, target, batch.clean, first);
  train::StepLoss loss{weighted(config, parts),
                       {{"spectral", parts.spectral.item<double>()},
                        {"wave", parts.wave.item<double>()},
                        {"distortion", parts.distortion.item<double>()},
                        {"loudness", parts.loudness.item<double>()}}};

  const auto again = static_cast<std::int64_t>(std::lround(config.second_call_share * static_cast<double>(pairs)));
  if (second && again > 0) {
    states.clear();
    times.clear();
    for (std::int64_t i = 0; i < again; ++i) {
      const double t = config.t_low + (config.t_high - config.t_low) * u[1][i].item<double>();
      states.push_back(process.at(t).mean(first[i].detach(), y[i]));
      times.push_back(process.network_time(t));
    }
    const at::Tensor estimate =
        model.network().forward(at::stack(states), y.narrow(0, 0, again), at::tensor(times, at::kFloat).to(y.device()));
    const Parts refined = errors(model, config, target.narrow(0, 0, again), batch.clean.narrow(0, 0, again), estimate);
    const double share = static_cast<double>(again) / static_cast<double>(pairs);
    loss.total = (loss.total + share * weighted(config, refined)) / (1.0 + share);
    loss.parts.emplace_back("second", refined.spectral.item<double>());
  }
  return loss;
}

}  // namespace reseda::speech
