#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "modules/diffusion/rddm_objective.hpp"

namespace reseda::train {

struct RddmLossConfig {
  std::string objective = "pred_res_noise";
  std::string norm = "l1";
  template <class V>
  void fields(V& v) {
    v("objective", objective, "what the network predicts, see RddmDenoiserConfig");
    v("norm", norm, "error of a prediction: l1 (mean of absolute errors) or l2 (of squares)");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// A batch on its way through RDDM's forward process.
struct RddmBatch {
  at::Tensor x0, y;     ///< [B,C,H,W] in [-1, 1]; y undefined stands for 0 (generation)
  at::Tensor eps;       ///< standard normal, shape of x0
  at::Tensor index;     ///< [B] int64, time indices
  at::Tensor x_t = {};  ///< what the network is shown
};

/// RDDM's training loss: each prediction against its part of the forward process, a mean over elements and then items.
///   pred_res_noise      R, eps          pred_x0_noise      x0, eps          pred_res   R      pred_noise  eps
///   pred_res_add_noise  R, R + eps      pred_x0_add_noise  x0, x0 + eps     pred_x0    x0,    R = y - x0
/// auto_res_noise: from the one prediction o and a learned share s in [0, 1] it makes
///   R^ = s o + (1 - s) (y - C(x0 of o taken as noise)),  eps^ = s (noise of o taken as residual) + (1 - s) o
/// whose errors the caller weighs with s and 1 - s; C clips to +-1. Once |s - 1/2| > 0.01 the official code goes on
/// with pred_res or pred_noise from new weights.
/// Source: Liu et al. 2024, "Residual Denoising Diffusion Models", Sec. 3, and on automatic objective selection.
/// Official: nachifur/RDDM, src/residual_denoising_diffusion_pytorch.py, p_losses.
class RddmLoss {
 public:
  RddmLoss(const RddmLossConfig& config, diffusion::RddmSchedule schedule);

  /// Adds x_t = x0 + abar R + bbar eps.
  RddmBatch degrade(at::Tensor x0, at::Tensor y, at::Tensor eps, at::Tensor index) const;
  /// One loss per prediction (two for auto_res_noise), zero-dimensional. Their sum is what experiment 2 of the official
  /// code minimises; the others take each with an optimiser of its own.
  /// @param predictions  along the channels, [B, C or 2C, H, W]
  /// @param share        of auto_res_noise, one element
  /// @throws Error{kInternal} when the channels do not fit
  std::vector<at::Tensor> operator()(const at::Tensor& predictions, const RddmBatch& batch,
                                     const at::Tensor& share = {}) const;
  /// The estimate of x0 in predictions, clipped to +-1, which a self-conditioned network is shown on its second pass:
  /// in official training half of the steps have a first pass, without gradient. Not of auto_res_noise.
  at::Tensor clean(const at::Tensor& predictions, const RddmBatch& batch) const;

 private:
  at::Tensor error(const at::Tensor& prediction, const at::Tensor& target) const;
  std::vector<at::Tensor> automatic(const at::Tensor& output, const RddmBatch& batch, const at::Tensor& residual,
                                    const at::Tensor& share) const;

  diffusion::RddmObjective objective_;
  bool squares_;
  diffusion::RddmSchedule schedule_;
};

}  // namespace reseda::train
