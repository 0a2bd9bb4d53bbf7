#include "pipelines/speech/official_loss.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

namespace reseda::speech {
namespace {

at::Tensor squared_modulus(const at::Tensor& z) { return at::real(z).square() + at::imag(z).square(); }

/// Half the sum over each item. [B,...] -> [B]
at::Tensor half_sum(const at::Tensor& error) { return 0.5 * error.flatten(1).sum(1); }

}  // namespace

void OfficialLossConfig::validate() const {
  RESEDA_REQUIRE(weighting == "1" || weighting == "sigma^2" || weighting == "edm", Errc::kUsage,
                 "loss.weighting must be 1, sigma^2 or edm, got '", weighting, "'");
  RESEDA_REQUIRE(std::isfinite(l1_weight) && l1_weight >= 0, Errc::kUsage, "loss.l1_weight must be >= 0, got ",
                 l1_weight);
  RESEDA_REQUIRE(t_eps > 0 && t_eps < 1, Errc::kUsage, "loss.t_eps must be in (0, 1), got ", t_eps);
  RESEDA_REQUIRE(num_frames >= 2, Errc::kUsage, "loss.num_frames must be at least 2, got ", num_frames);
}

OfficialLoss::OfficialLoss(OfficialLossConfig config, ScoreParametrization parametrization, signal::StftConfig stft,
                           signal::SpectralTransformConfig transform)
    : config_(std::move(config)),
      parametrization_(std::move(parametrization)),
      stft_(std::move(stft)),
      transform_(std::move(transform)) {
  config_.validate();
  parametrization_.validate();
  RESEDA_REQUIRE(parametrization_.loss_type != "score_matching" || config_.weighting == "sigma^2", Errc::kUsage,
                 "loss.weighting must be sigma^2 for score_matching, got '", config_.weighting, "'");
}

DegradedBatch OfficialLoss::degrade(const diffusion::Process& process, const at::Tensor& x0, const at::Tensor& y,
                                    NoiseSource& noise, std::uint32_t step) const {
  const std::int64_t items = x0.size(0);
  DegradedBatch batch;
  batch.t = noise.uniform({"train", "time", step}, {items}) * (1.0 - config_.t_eps) + config_.t_eps;
  batch.z = diffusion::draw_like(noise, {"train", "state", step}, x0);
  std::vector<at::Tensor> means;
  std::vector<double> scales;
  for (std::int64_t i = 0; i < items; ++i) {
    const diffusion::Marginal marginal = process.at(batch.t[i].item<double>());
    means.push_back(marginal.mean(x0[i], y[i]));
    scales.push_back(marginal.c.scalar());
  }
  batch.t = batch.t.to(x0.device());
  batch.mean = at::stack(means);
  batch.sigma = at::tensor(scales, at::kFloat).view({items, 1, 1, 1}).to(x0.device());
  batch.x_t = batch.mean + batch.sigma * batch.z;
  return batch;
}

at::Tensor OfficialLoss::operator()(const at::Tensor& output, const at::Tensor& x0, const DegradedBatch& batch) const {
  RESEDA_INVARIANT(output.dim() == 4 && output.sizes() == x0.sizes());
  if (parametrization_.loss_type == "denoiser") return denoiser_loss(output, batch);
  if (parametrization_.loss_type == "data_prediction") return data_loss(output, x0);
  return half_sum(squared_modulus(output * batch.sigma + batch.z)).mean();
}

at::Tensor OfficialLoss::denoiser_loss(const at::Tensor& output, const DegradedBatch& batch) const {
  const at::Tensor variance = batch.sigma.square();
  const at::Tensor error = squared_modulus(output * variance + batch.x_t - batch.mean);
  if (config_.weighting == "1") return half_sum(error).mean();
  if (config_.weighting == "sigma^2") return half_sum(error * variance).mean();
  const double data = parametrization_.sigma_data * parametrization_.sigma_data;
  const at::Tensor weight = (variance + data) / (variance * data);
  if (config_.official_quirks) return weight.mean() * half_sum(error).sum();
  return half_sum(error * weight).mean();
}

at::Tensor OfficialLoss::data_loss(const at::Tensor& output, const at::Tensor& x0) const {
  const at::Tensor error = squared_modulus(output - x0) / static_cast<double>(x0.size(2) * x0.size(3));
  const at::Tensor spectral = half_sum(error).mean();
  if (config_.l1_weight == 0) return spectral;
  at::Tensor absolute = half_sum((wave(output) - wave(x0)).abs()).mean() / static_cast<double>(wave_samples());
  if (config_.official_quirks && x0.size(0) == 1) absolute = absolute / static_cast<double>(wave_samples());
  return spectral + config_.l1_weight * absolute;
}

/// [B,1,F,T] -> [B, samples]
at::Tensor OfficialLoss::wave(const at::Tensor& spectrum) const {
  return signal::istft(signal::expand(spectrum.squeeze(1), transform_), stft_, wave_samples());
}

}  // namespace reseda::speech
