#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "modules/diffusion/processes/resfusion_schedule.hpp"

namespace reseda::train {

struct ResfusionLossConfig {
  std::string mode = "epsilon";
  std::string norm = "L2";
  template <class V>
  void fields(V& v) {
    v("mode", mode, "what the network predicts: epsilon (resnoise), sample (x0) or residual (y - x0)");
    v("norm", norm, "error of the prediction: L2 (mean of squares) or L1 (smooth, quadratic below 1)");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// A batch on its way through Resfusion's forward process.
struct ResfusionBatch {
  at::Tensor x0, y;          ///< [B,C,H,W] in [-1, 1]; y undefined stands for 0 (generation)
  at::Tensor eps;            ///< standard normal, shape of x0
  at::Tensor index;          ///< [B] int64, time indices below T'
  at::Tensor x_t = {};       ///< what the network is shown
  at::Tensor resnoise = {};  ///< eps + k R
};

/// Resfusion's training loss, a mean over everything: the prediction against
///   epsilon  eps + k R, k = sqrt(1 - ahat) / (1 + sqrt(alpha))    sample  x0    residual  R = y - x0
/// The official weight (1 - sqrt(alpha)) sqrt(1 - ahat) / beta is the same k.
/// Source: Shi et al. 2024, "Resfusion: Denoising Diffusion Probabilistic Models for Image Restoration Based on Prior
/// Residual Noise", Sec. 3. Official: nkicsl/Resfusion, model/distributions.py, model/resfusion_restore.py,
/// training_step.
class ResfusionLoss {
 public:
  ResfusionLoss(const ResfusionLossConfig& config, diffusion::ResfusionSchedule schedule);

  /// Adds x_t = sqrt(ahat) x0 + (1 - sqrt(ahat)) R + sqrt(1 - ahat) eps, and the resnoise.
  ResfusionBatch degrade(at::Tensor x0, at::Tensor y, at::Tensor eps, at::Tensor index) const;
  /// Zero-dimensional. @param prediction  shape of x0
  at::Tensor operator()(const at::Tensor& prediction, const ResfusionBatch& batch) const;

 private:
  ResfusionLossConfig config_;
  diffusion::ResfusionSchedule schedule_;
};

}  // namespace reseda::train
