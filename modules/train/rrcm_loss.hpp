#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "modules/diffusion/process.hpp"

namespace reseda::train {

/// Three looks at the same images, [B,C,H,W] in [-1, 1].
struct RrcmViews {
  at::Tensor plain;          ///< resized, cropped, flipped
  at::Tensor first, second;  ///< strongly augmented
};

/// What rRCM's network says: the representation and its projection.
struct RrcmRepresentation {
  at::Tensor representation;  ///< [B,D]
  at::Tensor projection;      ///< [B,P]
};

/// One value for each image, [B]; training minimises the mean of their sum.
struct RrcmLossParts {
  at::Tensor contrast, consistency;
};

/// rRCM's pre-training loss. With one noise eps in every place, the noises t > t' of two neighbours on the grid and t0
/// its smallest,
///   contrast     InfoNCE(z(a1, t0), z~(a2, t0)) + InfoNCE(z(a2, t0), z~(a1, t0))
///   consistency  InfoNCE(h(x, t), stopgrad h(x, t')),
/// where f(x, t) sees x + t eps, h is the student's representation, z its projection and z~ that of the slowly moving
/// target, which gets no gradient.
/// Networks in training: the student goes through batch normalisation four times, the target twice.
/// Source: Lei et al. 2025, "Robust Representation Consistency Model via Contrastive Denoising". Official:
/// jiachenlei/rRCM, rrcm/rrcm_denoiser.py (rRCMloss).
class RrcmPretrainLoss {
 public:
  /// A network: (x_t scaled as the process says, [B] times as it says) -> representation and projection
  using Network = std::function<RrcmRepresentation(const at::Tensor& x, const at::Tensor& t)>;

  /// @param process  outlives the loss   @throws Error{kUsage} unless tau > 0
  RrcmPretrainLoss(const diffusion::Process& process, double tau);
  /// @param eps  standard normal, shape of the views   @param t, t_next  noise scales, t > t_next
  RrcmLossParts operator()(const Network& student, const Network& target, const RrcmViews& views, const at::Tensor& eps,
                           double t, double t_next) const;

 private:
  RrcmRepresentation look(const Network& network, const at::Tensor& x0, const at::Tensor& eps, double t) const;

  const diffusion::Process& process_;
  double tau_;
};

}  // namespace reseda::train
