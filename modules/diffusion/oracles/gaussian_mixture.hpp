#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "modules/diffusion/denoiser.hpp"

namespace reseda::diffusion {

/// The exact denoiser of x0 drawn from a mixture of isotropic Gaussians, independent of y, on any bridge. With
/// e_k = x - b y - a mu_k and v_k = a^2 d_k^2 + c^2:
///   r_k = w_k N(e_k; 0, v_k I) / sum_j w_j N(e_j; 0, v_j I)
///   x0 = sum r_k (mu_k + a d_k^2 / v_k e_k),   eps = sum r_k c / v_k e_k;   r_k = w_k where all v_k vanish
/// In one dimension the probability flow keeps the value of the marginal's distribution function, see `cumulative`.
/// For complex x0 the variance d_k^2 is that of the complex value.
class GaussianMixtureOracle final : public Denoiser {
 public:
  struct Component {
    double weight = 1;     ///< > 0; weights are divided by their sum
    at::Tensor mu;         ///< broadcasts against one item of the state
    double deviation = 0;  ///< > 0
  };
  /// @throws Error{kUsage} without components, or for a weight or deviation that is not > 0
  GaussianMixtureOracle(std::vector<Component> components, const Process& process);
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override;
  /// Distribution function of every element of x at time t by itself: sum w_k Phi(e_k / sqrt(v_k)). Real x.
  at::Tensor cumulative(const at::Tensor& x, double t, const Condition& condition) const;

 private:
  std::vector<Component> components_;
  const Process& process_;
};

}  // namespace reseda::diffusion
