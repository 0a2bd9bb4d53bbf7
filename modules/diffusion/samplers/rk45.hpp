#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace reseda::diffusion {

/// dx/dt at (t, x); shape and type of x.
using Velocity = std::function<at::Tensor(double t, const at::Tensor& x)>;

struct Rk45Options {
  double rtol = 1e-5, atol = 1e-5;
  std::int64_t max_calls = 10000;  ///< evaluations of the velocity
};

/// Integrates dx/dt from t0 to t1, either way, with Dormand and Prince's pair of orders 5 and 4 and local
/// extrapolation. Step control as in SciPy's RK45: error norm sqrt(mean |e / (atol + rtol max(|x|, |x'|))|^2) over all
/// elements, factor 0.9 norm^{-1/5} within [0.2, 10] and not above 1 after a rejection, first step after Hairer,
/// Norsett and Wanner.
/// @param x          float64 or complex128
/// @param on_accept  may be empty; called with each accepted time and state
/// @throws Error{kNumeric} when the error is not finite, the step underflows or max_calls is reached
/// Source: Dormand and Prince 1980, "A family of embedded Runge-Kutta formulae"; Hairer, Norsett, Wanner 1993, "Solving
/// Ordinary Differential Equations I", Sec. II.4.
at::Tensor integrate_rk45(const Velocity& velocity, at::Tensor x, double t0, double t1, const Rk45Options& options,
                          const std::function<void(double t, const at::Tensor& x)>& on_accept = {});

/// The length of the first step. @param v  velocity(t0, x)
double rk45_first_step(const Velocity& velocity, const at::Tensor& x, const at::Tensor& v, double t0, double t1,
                       const Rk45Options& options);

}  // namespace reseda::diffusion
