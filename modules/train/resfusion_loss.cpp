#include "modules/train/resfusion_loss.hpp"

#include <ATen/ATen.h>

#include <utility>
#include <vector>

#include "modules/core/error.hpp"

namespace reseda::train {
namespace {

at::Tensor residual_of(const ResfusionBatch& batch) { return batch.y.defined() ? batch.y - batch.x0 : -batch.x0; }

}  // namespace

void ResfusionLossConfig::validate() const {
  RESEDA_REQUIRE(mode == "epsilon" || mode == "sample" || mode == "residual", Errc::kUsage,
                 "loss.mode must be one of epsilon, sample, residual, got '", mode, "'");
  RESEDA_REQUIRE(norm == "L2" || norm == "L1", Errc::kUsage, "loss.norm must be one of L2, L1, got '", norm, "'");
}

ResfusionLoss::ResfusionLoss(const ResfusionLossConfig& config, diffusion::ResfusionSchedule schedule)
    : config_(config), schedule_(std::move(schedule)) {
  config_.validate();
}

ResfusionBatch ResfusionLoss::degrade(at::Tensor x0, at::Tensor y, at::Tensor eps, at::Tensor index) const {
  ResfusionBatch batch{std::move(x0), std::move(y), std::move(eps), std::move(index)};
  std::vector<std::int64_t> shape(static_cast<std::size_t>(batch.x0.dim()), 1);
  shape[0] = batch.index.size(0);
  const auto of = [&](const at::Tensor& values) {
    return values.to(batch.index.device()).index({batch.index}).reshape(shape);
  };
  const at::Tensor root = of(schedule_.alphas_hat.sqrt()), noise = of((1 - schedule_.alphas_hat).sqrt());
  const at::Tensor residual = residual_of(batch);
  batch.x_t = root * batch.x0 + (1 - root) * residual + noise * batch.eps;
  batch.resnoise = batch.eps + noise / (1 + of(schedule_.alphas.sqrt())) * residual;
  return batch;
}

at::Tensor ResfusionLoss::operator()(const at::Tensor& prediction, const ResfusionBatch& batch) const {
  const at::Tensor target = config_.mode == "epsilon"  ? batch.resnoise
                            : config_.mode == "sample" ? batch.x0
                                                       : residual_of(batch);
  return config_.norm == "L2" ? at::mse_loss(prediction, target) : at::smooth_l1_loss(prediction, target);
}

}  // namespace reseda::train
