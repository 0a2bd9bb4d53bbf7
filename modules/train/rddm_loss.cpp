#include "modules/train/rddm_loss.hpp"

#include <ATen/ATen.h>

#include <utility>

#include "modules/core/error.hpp"

namespace reseda::train {
namespace {

using diffusion::RddmObjective;

at::Tensor residual_of(const RddmBatch& batch) { return batch.y.defined() ? batch.y - batch.x0 : -batch.x0; }

/// What the predictions of an objective should be.
std::vector<at::Tensor> targets(RddmObjective objective, const RddmBatch& batch, const at::Tensor& residual) {
  switch (objective) {
    case RddmObjective::kResNoise:
      return {residual, batch.eps};
    case RddmObjective::kResAddNoise:
      return {residual, residual + batch.eps};
    case RddmObjective::kX0Noise:
      return {batch.x0, batch.eps};
    case RddmObjective::kX0AddNoise:
      return {batch.x0, batch.x0 + batch.eps};
    case RddmObjective::kNoise:
      return {batch.eps};
    case RddmObjective::kRes:
      return {residual};
    case RddmObjective::kX0:
      return {batch.x0};
    case RddmObjective::kAuto:
      break;
  }
  return {};
}

}  // namespace

void RddmLossConfig::validate() const {
  diffusion::parse_rddm_objective(objective);
  RESEDA_REQUIRE(norm == "l1" || norm == "l2", Errc::kUsage, "loss.norm must be one of l1, l2, got '", norm, "'");
}

RddmLoss::RddmLoss(const RddmLossConfig& config, diffusion::RddmSchedule schedule)
    : objective_(diffusion::parse_rddm_objective(config.objective)),
      squares_(config.norm == "l2"),
      schedule_(std::move(schedule)) {
  config.validate();
}

RddmBatch RddmLoss::degrade(at::Tensor x0, at::Tensor y, at::Tensor eps, at::Tensor index) const {
  RddmBatch batch{std::move(x0), std::move(y), std::move(eps), std::move(index)};
  const auto k = diffusion::rddm_coefficients(schedule_, batch.index, batch.x0.dim());
  batch.x_t = diffusion::rddm_sample(k, batch.x0, batch.y, batch.eps);
  return batch;
}

at::Tensor RddmLoss::error(const at::Tensor& prediction, const at::Tensor& target) const {
  const at::Tensor difference = prediction - target;
  const at::Tensor each = squares_ ? difference.square() : difference.abs();
  return each.flatten(1).mean(1).mean();
}

std::vector<at::Tensor> RddmLoss::operator()(const at::Tensor& predictions, const RddmBatch& batch,
                                             const at::Tensor& share) const {
  const std::int64_t channels = batch.x0.size(1), count = diffusion::rddm_outputs(objective_);
  RESEDA_REQUIRE(predictions.size(1) == count * channels, Errc::kInternal, "the network's result must hold ", count,
                 " predictions of ", channels, " channels, got ", predictions.sizes());
  const at::Tensor residual = residual_of(batch);
  if (objective_ == RddmObjective::kAuto) return automatic(predictions, batch, residual, share);
  std::vector<at::Tensor> losses;
  for (const at::Tensor& target : targets(objective_, batch, residual))
    losses.push_back(
        error(predictions.narrow(1, static_cast<std::int64_t>(losses.size()) * channels, channels), target));
  return losses;
}

at::Tensor RddmLoss::clean(const at::Tensor& predictions, const RddmBatch& batch) const {
  const std::int64_t channels = batch.x0.size(1);
  const at::Tensor second =
      diffusion::rddm_outputs(objective_) == 2 ? predictions.narrow(1, channels, channels) : at::Tensor();
  return diffusion::rddm_parts(objective_, diffusion::RddmUse::kBoth,
                               diffusion::rddm_coefficients(schedule_, batch.index, batch.x0.dim()),
                               predictions.narrow(1, 0, channels), second, batch.x_t, batch.y, {})
      .x0;
}

std::vector<at::Tensor> RddmLoss::automatic(const at::Tensor& output, const RddmBatch& batch,
                                            const at::Tensor& residual, const at::Tensor& share) const {
  RESEDA_REQUIRE(share.defined() && share.numel() == 1, Errc::kInternal, "auto_res_noise needs its share");
  const auto k = diffusion::rddm_coefficients(schedule_, batch.index, batch.x0.dim());
  const at::Tensor x0 = diffusion::rddm_x0_from_noise(k, batch.x_t, batch.y, output).clamp(-1, 1);
  const at::Tensor noise = diffusion::rddm_noise_from_residual(k, batch.x_t, batch.y, output);
  const at::Tensor other = batch.y.defined() ? batch.y - x0 : -x0;
  return {error(share * output + (1 - share) * other, residual),
          error(share * noise + (1 - share) * output, batch.eps)};
}

}  // namespace reseda::train
