#pragma once

#include <string_view>

#include "modules/diffusion/process.hpp"

namespace reseda::diffusion {

struct SbVeConfig {
  double k = 2.6;
  double c = 0.4;
  double eps = 1e-8;
  double t_end = 1e-4;
  template <class V>
  void fields(V& v) {
    v("k", k, "base of the growth of the diffusion g = sqrt(c) k^t");
    v("c", c, "square of the diffusion at t = 0");
    v("eps", eps, "added to the remaining variance so that it never vanishes; 0 pins the bridge to y at t = 1");
    v("t_end", t_end, "time at which sampling stops");
  }
  void validate() const;
};

/// Schroedinger bridge between x0 and y with a variance-exploding reference process, g = sqrt(c) k^t:
///   s^2(t) = c (k^{2t} - 1) / (2 ln k),  r^2(t) = s^2(1) - s^2(t) + eps,  S = s(1)
///   a = r^2 / (S^2 + eps),  b = s^2 / (S^2 + eps) = 1 - a,  c = r s / (S + eps)
/// Deterministic: the bridge starts at y itself.
/// Source: Jukic et al. 2024, "Schroedinger Bridge for Generative Speech Enhancement", Sec. 3; Richter et al. 2025,
/// "Investigating Training Objectives for Generative Speech Enhancement". Official: sp-uhh/sgmse, sgmse/sdes.py, class
/// SBVESDE, which works in float32; the difference S^2 - s^2 is kept at 0 or above here.
class SbVe final : public Process {
 public:
  explicit SbVe(SbVeConfig config);
  Marginal at(double t) const override;
  Rates rate(double t) const override;
  double t_end() const override { return config_.t_end; }
  at::Tensor prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const override;
  const SbVeConfig& config() const { return config_; }

 private:
  double variance(double t) const;
  double remaining(double passed) const;

  SbVeConfig config_;
  double total_;
};

}  // namespace reseda::diffusion
