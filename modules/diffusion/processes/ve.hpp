#pragma once

#include <string_view>

#include "modules/diffusion/process.hpp"

namespace reseda::diffusion {

struct VeConfig {
  double sigma_min = 0.01;
  double sigma_max = 378.0;
  double t_end = 1e-5;
  template <class V>
  void fields(V& v) {
    v("sigma_min", sigma_min, "noise scale at t = 0");
    v("sigma_max", sigma_max, "noise scale at t = 1");
    v("t_end", t_end, "time at which sampling stops");
  }
  void validate() const;
};

/// Variance-exploding process with geometrically growing noise:
///   x_t = x0 + sigma(t) eps,  sigma = sigma_min (sigma_max / sigma_min)^t;   a = 1, b = 0, c = sigma
/// The network is conditioned on sigma itself. Draws: (item, "prior", 0); the prior is sigma_max z, in which the share
/// of x0 that the marginal at 1 still holds is left out.
/// Source: Song et al. 2021, "Score-Based Generative Modeling through Stochastic Differential Equations", App. C.
/// Official: hyungjin-chung/score-MRI, sde_lib.py (VESDE).
class Ve final : public Process {
 public:
  explicit Ve(VeConfig config);
  Marginal at(double t) const override;
  Rates rate(double t) const override;
  double t_end() const override { return config_.t_end; }
  at::Tensor prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const override;
  double network_time(double t) const override { return sigma(t); }

 private:
  double sigma(double t) const;
  VeConfig config_;
  double log_ratio_;
};

}  // namespace reseda::diffusion
