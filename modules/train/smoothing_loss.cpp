#include "modules/train/smoothing_loss.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::train {
namespace {

at::Tensor log_of(const at::Tensor& probability) { return probability.clamp_min(1e-20).log(); }

}  // namespace

void SmoothingLossConfig::validate() const {
  RESEDA_REQUIRE(form == "default" || form == "kl" || form == "xent" || form == "mse", Errc::kUsage,
                 "loss.form must be default, kl, xent or mse, got '", form, "'");
  RESEDA_REQUIRE(lambda >= 0, Errc::kUsage, "loss.lambda must be >= 0, got ", lambda);
  RESEDA_REQUIRE(eta >= 0, Errc::kUsage, "loss.eta must be >= 0, got ", eta);
  RESEDA_REQUIRE(copies >= 2 && (form != "mse" || copies == 2), Errc::kUsage,
                 "loss.copies must be >= 2, and 2 for mse, got ", copies);
}

at::Tensor smoothing_regulariser(const SmoothingLossConfig& config, const at::Tensor& logits) {
  config.validate();
  RESEDA_REQUIRE(logits.dim() == 2 && logits.size(0) % config.copies == 0, Errc::kInternal, config.copies,
                 " copies do not divide logits of ", logits.sizes());
  const at::Tensor log_p = logits.log_softmax(1).view({config.copies, -1, logits.size(1)});
  const at::Tensor p = log_p.exp(), mean = p.mean(0);
  if (config.form == "mse") return config.lambda * (p[1] - p[0]).square().sum(1).mean();
  const at::Tensor cross = -(mean * log_p).sum(2).mean(0);
  if (config.form == "xent") return config.lambda * cross.mean();
  const at::Tensor divergence = cross + at::xlogy(mean, mean).sum(1);
  if (config.form == "kl") return config.lambda * divergence.mean();
  return (config.lambda * divergence - config.eta * (mean * log_of(mean)).sum(1)).mean();
}

at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& targets) {
  RESEDA_REQUIRE(logits.dim() == 2 && targets.dim() >= 1 && logits.size(0) % targets.size(0) == 0, Errc::kInternal,
                 "targets of ", targets.sizes(), " for logits of ", logits.sizes());
  const std::int64_t copies = logits.size(0) / targets.size(0);
  const at::Tensor log_p = logits.log_softmax(1);
  if (targets.dim() == 1) return -log_p.gather(1, targets.repeat({copies}).unsqueeze(1)).mean();
  return -(targets.repeat({copies, 1}) * log_p).sum(1).mean();
}

at::Tensor mean_entropy(const at::Tensor& logits) {
  const at::Tensor p = logits.softmax(1);
  return -(p * log_of(p)).sum(1).mean();
}

}  // namespace reseda::train
