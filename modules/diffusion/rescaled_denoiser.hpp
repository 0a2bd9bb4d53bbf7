#pragma once

#include "modules/diffusion/denoiser.hpp"

namespace reseda::diffusion {

/// A denoiser of one unconditional process (b = 0) at the states of another: x~ = x a_in(t) / a_out(s) at the time t
/// with the same noise-to-signal ratio, c_in(t) / a_in(t) = c_out(s) / a_out(s). So a variance preserving prior serves
/// solvers of the variance exploding process. Ratios beyond the inner process's are taken at its ends; where its times
/// are a table, at the nearest. The noise agrees with x0: eps = (x - a_out x0) / c_out.
class RescaledDenoiser final : public Denoiser {
 public:
  /// All three must outlive this.
  RescaledDenoiser(const Denoiser& inner, const Process& inner_process, const Process& outer_process)
      : inner_(inner), inner_process_(inner_process), outer_process_(outer_process) {}
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override;

 private:
  const Denoiser& inner_;
  const Process &inner_process_, &outer_process_;
};

}  // namespace reseda::diffusion
