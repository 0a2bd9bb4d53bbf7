#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "modules/diffusion/denoiser.hpp"

namespace reseda::train {

/// Training of any target on any process, with a time for every item: the prediction for x_t = a x0 + b y + c eps
/// against target_value, as a mean of squares or of absolute errors over everything.
/// Source: docs/equations.md, "Conversions".
class BridgeLoss {
 public:
  enum class Norm { kSquares, kAbsolute };
  BridgeLoss(diffusion::Target target, Norm norm, const diffusion::Process& process)
      : target_(target), norm_(norm), process_(process) {}

  /// @param times  [B] float64 on the CPU, within the process's range  @return x_t, shape of x0
  at::Tensor degrade(const at::Tensor& x0, const at::Tensor& y, const at::Tensor& eps, const at::Tensor& times) const;
  /// Zero-dimensional. @param unit  errors are divided by this, broadcast against x0; undefined: 1
  /// @throws Error{kInternal} where the target is not defined at one of the times
  at::Tensor operator()(const at::Tensor& prediction, const at::Tensor& x0, const at::Tensor& y, const at::Tensor& eps,
                        const at::Tensor& times, const at::Tensor& unit = {}) const;

 private:
  diffusion::Target target_;
  Norm norm_;
  const diffusion::Process& process_;
};

/// What a network of a stochastic interpolant learns.
///   kVelocity  a' x0 + b' y + c' z     kDrift  a' x0 + b' y     kScore  -z / c     kDenoiser  -z
/// (score = denoiser / c, velocity = drift - c c' score)
enum class InterpolantTarget { kVelocity, kDrift, kScore, kDenoiser };

/// The quadratic objectives of stochastic interpolants, sums over an item and a mean over the batch, without the
/// constant that makes them squares, so they may be negative:
///   |p(x+)|^2 / 2 - <v+, p(x+)>,  x+ = a x0 + b y + c z, v the target;   antithetic adds the same for -z
/// The antithetic pair keeps the variance finite where c vanishes.
/// @param network  (x, times [B] float64) -> p, shape of x
/// Source: Albergo, Boffi, Vanden-Eijnden 2023, "Stochastic Interpolants: A Unifying Framework for Flows and
/// Diffusions", Sec. 2. Official: malbergo/stochastic-interpolants, interflow/stochastic_interpolant.py. In the source
/// time runs from y to x0: its velocity and drift are the negatives of these.
using InterpolantCall = std::function<at::Tensor(const at::Tensor& x, const at::Tensor& times)>;
at::Tensor interpolant_loss(InterpolantTarget target, bool antithetic, const diffusion::Process& process,
                            const InterpolantCall& network, const at::Tensor& x0, const at::Tensor& y,
                            const at::Tensor& z, const at::Tensor& times);

}  // namespace reseda::train
