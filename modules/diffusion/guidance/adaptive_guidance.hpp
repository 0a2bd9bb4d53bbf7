#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modules/diffusion/denoiser.hpp"

namespace reseda::diffusion {

/// Guidance by the difference of two denoisers that is given up, item by item, once it no longer turns the estimate:
///   eps' = eps_u + w (eps_c - eps_u) while cos(eps_c, eps_u) < threshold, from then on eps_c alone
///   x0' = (x_t - b y - c eps') / a
/// The unguided denoiser is then not called for that item again. One object per run: a time later than the one before
/// (or another batch) starts anew. Not for several threads at once.
/// Source: Castillo et al. 2025, "Adaptive Guidance: Training-free Acceleration of Conditional Diffusion Models",
/// Sec. 4. A threshold > 1 is classifier-free guidance (Ho & Salimans 2021), -1 the guided denoiser alone.
class AdaptiveGuidance final : public Denoiser {
 public:
  AdaptiveGuidance(const Denoiser& guided, const Denoiser& unguided, double weight, double threshold,
                   const Process& process)
      : guided_(guided), unguided_(unguided), weight_(weight), threshold_(threshold), process_(process) {}
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override;
  /// Items for which the unguided denoiser was called so far, over all runs.
  std::int64_t unguided_calls() const { return unguided_calls_; }

 private:
  const Denoiser &guided_, &unguided_;
  double weight_, threshold_;
  const Process& process_;
  mutable at::Tensor open_;  ///< [B] bool on the CPU: still guided
  mutable double last_t_ = 0.0;
  mutable std::int64_t unguided_calls_ = 0;
};

}  // namespace reseda::diffusion
