#pragma once

#include "modules/diffusion/denoiser.hpp"

namespace reseda::diffusion {

/// Estimates of another denoiser with x0 clipped to +- limit; the noise is kept, or made to agree with the clipped x0
/// where `derive_noise`.
class ClippedDenoiser final : public Denoiser {
 public:
  ClippedDenoiser(const Denoiser& inner, double limit, bool derive_noise, const Process& process)
      : inner_(inner), limit_(limit), derives_noise_(derive_noise), process_(process) {}
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override;

 private:
  const Denoiser& inner_;
  double limit_;
  bool derives_noise_;
  const Process& process_;
};

}  // namespace reseda::diffusion
