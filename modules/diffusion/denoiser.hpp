#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>

#include "modules/diffusion/process.hpp"

namespace reseda::diffusion {

/// What a network predicts; each is a linear map of (x0, eps) given (x_t, y): docs/equations.md, "Conversions".
enum class Target { kX0, kEps, kScaledEps, kScore, kV, kVelocity, kResidual, kResNoise, kResidualAndNoise, kEdmF };
Target parse_target(const std::string& name);
const char* target_name(Target target);

struct Estimates {
  at::Tensor x0, eps;
  /// y - x0 as the network says by itself, where that need not agree with x0; undefined: y - x0.
  at::Tensor residual = {};
  /// Where the network also predicts the variance of a reverse step: its place in [0, 1] between the logarithms of the
  /// posterior's and the forward step's variance, shape of x; else undefined.
  at::Tensor variance_share = {};
  /// By a GuidedDenoiser: the estimate of x0 before it, and the gradient that it put into x0 and eps; else undefined.
  at::Tensor unguided_x0 = {}, guidance = {};
};

/// Solves a prediction for {x0, eps} with x = a x0 + b y + c eps.
///   kX0: x0                kEps: eps              kScore: -eps / c       kResidual: y - x0    kScaledEps: c eps
///   kVelocity: a' x0 + b' y + c' eps              kV: a eps - c x0 (variance preserving, after the shift x - b y)
///   kResidualAndNoise: [y - x0, eps] along the channel axis
///   kResNoise: eps + w (y - x0), w = h c / g^2 of the bridge in the form A x0 + b (y - x0) + c eps, A = a + b, or
///   what the process's rates say; for processes whose noise grows with t
///   kEdmF: (x0 - c_skip x~) / c_out with x~ = (x - b y) / a, sigma = c / a and EDM's c_skip, c_out at sigma_data = 0.5
/// Where c is 0 the noise is taken as 0. `y` may be undefined where b is 0. @throws Error{kInternal} where the target
/// cannot be solved at this time
Estimates estimates_from(Target target, const at::Tensor& prediction, const at::Tensor& x, const at::Tensor& y,
                         const Marginal& marginal, const Rates& rates);
/// The inverse of estimates_from: the value of the target for known x0 and eps (training targets, oracles).
at::Tensor target_value(Target target, const at::Tensor& x0, const at::Tensor& eps, const at::Tensor& y,
                        const Marginal& marginal, const Rates& rates);

/// What the denoiser may look at besides the state.
struct Condition {
  at::Tensor y;               ///< measurement, shape of x (undefined for unconditional processes)
  at::Tensor extra = {};      ///< further channels that the network sees beside y, such as a mask; mostly undefined
  at::Tensor x0_before = {};  ///< the estimate of x0 of the call before, by samplers that feed it back; else undefined
};

/// Estimates (x0, eps) from a state at time t: a network, an exact oracle, a tiled or quantised network.
class Denoiser {
 public:
  virtual ~Denoiser() = default;
  virtual Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const = 0;
};

/// A network behind its target and its process. Where the condition has extra channels, y is [y, extra] by channels.
///   call(x, y, t) -> prediction, x and t as network_input_state and network_input_times give them
/// A prediction of twice the state's channels, but for residual_and_noise, is [target, v] with v from -1 to 1, the
/// learned range of a reverse step's variance.
class NetworkDenoiser final : public Denoiser {
 public:
  using Call = std::function<at::Tensor(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t)>;
  NetworkDenoiser(Call call, Target target, const Process& process)
      : call_(std::move(call)), target_(target), process_(process) {}
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override;

 private:
  Call call_;
  Target target_;
  const Process& process_;
};

}  // namespace reseda::diffusion
