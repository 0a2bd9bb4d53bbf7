#pragma once

#include <ATen/core/Tensor.h>

#include "modules/core/state_dict.hpp"

namespace reseda::train {

struct SmoothnessConfig {
  double weight = 1.0;
  double rate = 0.01;
  template <class V>
  void fields(V& v) {
    v("weight", weight, "factor of the penalty beside the loss");
    v("rate", rate, "rate at which the reference slope follows the batches");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Keeps the slope of the estimate x0 equal over items: with respect to the noise it makes the latent space even, with
/// respect to the measurement y it bounds how much an answer may hang on a detail of the input.
///   xi = c z / sqrt(n),  r_i = |d <x0_i, xi_i> / d v_i|,  m <- m + rate (mean r - m),  penalty = weight mean (r - m)^2
/// n elements of an item, c its noise level; m begins at 0 and carries a gradient within one call alone. The gradient
/// of the penalty passes twice through the network: twice its time and memory. float32 or float64.
/// Source: Guo et al. 2024, "Smooth Diffusion: Crafting Smooth Latent Spaces in Diffusion Models", Sec. 4. Official:
/// SHI-Labs/Smooth-Diffusion, train_smooth_diffusion.py, which does not save m.
class Smoothness {
 public:
  explicit Smoothness(SmoothnessConfig config);
  /// @param x0        [B, ...] real, made from `variable` with gradients on
  /// @param variable  the noise or the measurement, [B, ...], requires a gradient
  /// @param probe     z, standard normal, shape of x0
  /// @param c         noise level, broadcasts against x0
  /// @return          zero-dimensional, to be added to the loss
  /// @throws Error{kInternal} when x0 does not depend on the variable
  at::Tensor penalty(const at::Tensor& x0, const at::Tensor& variable, const at::Tensor& probe, const at::Tensor& c);
  /// r, [B].
  static at::Tensor slopes(const at::Tensor& x0, const at::Tensor& variable, const at::Tensor& probe,
                           const at::Tensor& c);
  double reference() const { return reference_; }

  void save(StateDict& state) const;
  /// @throws Error{kCheckpoint} when the state is missing
  void restore(const StateDict& state);

 private:
  SmoothnessConfig config_;
  double reference_ = 0.0;
};

}  // namespace reseda::train
