#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "modules/diffusion/sampler.hpp"
#include "modules/diffusion/time_grid.hpp"

namespace reseda::diffusion {

/// One time of a bridge as the solvers see it, after the shift x~ = x - b y = a x0 + c eps.
struct BridgePoint {
  double t = 0;
  Marginal m;
  /// Whether a > 0 and c > 0 everywhere. Where a vanishes or changes sign (start of RDDM, Resfusion), or c vanishes
  /// (pinned ends), there is no log-SNR: a step from or to such a time is of first order and starts the history anew.
  bool regular = false;
  Coef log_snr;  ///< ln(a / c), where regular
};
BridgePoint bridge_point(const Process& process, double t);

/// What a solver is given to take the state from one time to the next.
struct BridgeStep {
  std::int64_t index;      ///< 0-based, counts the calls
  std::int64_t remaining;  ///< steps from here on, this one and a jump to x0 included
  const BridgePoint &from, &to;
  const at::Tensor &x, &y;     ///< state at `from`; measurement
  const Estimates& estimates;  ///< at `from`
  bool first_order() const { return !from.regular || !to.regular; }
};

/// Walks the times of the grid: estimates at each, and `advance` from each to the next. The last estimate of x0 is the
/// result, or the state at t_end where the config says so. Each call is told the estimate of x0 before it.
/// Draws: (item, "prior", 0) by the process, and those of `advance`.
/// @throws Error{kUsage} where the grid does not fit the process, and what after_step throws
at::Tensor walk_bridge(const TimeGridConfig& config, const at::Tensor& y, const Process& process,
                       const Denoiser& denoiser, SampleContext& context,
                       const std::function<at::Tensor(const BridgeStep&)>& advance);

/// x~ = x - b y at `from`; the difference comes before any product: where a bridge is pinned, x is nearly b y.
at::Tensor shifted_state(const BridgeStep& step);

/// a' x0 + b' y + c' eps: the exact solution for constant x0, whatever the signs of a and c.
at::Tensor first_order_step(const BridgeStep& step);

}  // namespace reseda::diffusion
