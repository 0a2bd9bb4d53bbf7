#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "modules/core/registry.hpp"
#include "modules/diffusion/sampler.hpp"
#include "modules/inverse/forward_operator.hpp"

namespace reseda::inverse {

/// What one step of a solver reports.
struct SolverStep {
  std::int64_t step = 0;     ///< 0-based, in execution order
  double t = 0;              ///< time of the process
  at::Tensor residual;       ///< [B] |y - H(x)| of the estimate, per item
  at::Tensor loss = {};      ///< [B] what is minimised, per item; undefined where nothing is
  at::Tensor estimate = {};  ///< [B,C,H,W] the x whose residual this is
  at::Tensor state = {};     ///< [B,C,H,W] what the next step starts from
  at::Tensor gradient = {};  ///< what the optimiser was given, shape of the state; undefined where there is none
};

/// What one run of a solver needs besides the mathematics.
struct SolveContext {
  diffusion::SampleContext& sample;                ///< draws, item id, progress, trace of the states
  double sigma_y = 0.0;                            ///< standard deviation of the measurement's noise, in units of y
  std::function<void(const SolverStep&)> on_step;  ///< may be empty
};

/// Estimates x given y = H(x) + noise with a diffusion prior of the process (any bridge with b = 0). Holds its config
/// only; safe to share between threads. Where not said otherwise an item's result does not depend on its batch.
class Solver {
 public:
  virtual ~Solver() = default;
  /// @param y      measurement, [B,...]
  /// @param start  H^+ y or another first guess, [B,C,H,W]
  /// @return       [B,C,H,W]; not clamped
  /// @throws Error{kNumeric} when the state is no longer finite or the residual keeps growing, Error{kUsage} where
  ///         the solver needs what the operator does not have (say, a spectral form)
  virtual at::Tensor solve(const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                           const diffusion::Process& process, const diffusion::Denoiser& denoiser,
                           SolveContext& context) const = 0;
  /// Network calls of one run; -1 where it depends on the data or the process.
  virtual std::int64_t network_calls() const = 0;
};

using SolverEntry = Component<Solver>;
const std::vector<const SolverEntry*>& solver_entries();
std::unique_ptr<Solver> make_solver(const ConfigNode& node, const std::string& path = "solver");

/// |r| per item over all other axes, [B] real.
at::Tensor item_norm(const at::Tensor& r);
/// A value per item, [B], as [B,1,..,1] with as many axes as x.
at::Tensor per_item(const at::Tensor& values, const at::Tensor& x);

}  // namespace reseda::inverse
