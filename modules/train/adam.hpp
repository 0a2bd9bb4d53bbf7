#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "modules/core/state_dict.hpp"

namespace reseda::train {

/// The trainable parameters of a network laid into one float32 vector, and their gradients into another; the network's
/// tensors become views, so that optimiser, clipping and averages are single vector operations.
class FlatParameters {
 public:
  /// @param parameters  named leaf tensors, float32; those that need no gradient are left alone
  explicit FlatParameters(const std::vector<StateDict::Entry>& parameters);
  at::Tensor& values() { return values_; }
  at::Tensor& gradient() { return gradient_; }
  /// The named slices of a vector of the same length (values, moments, averages), as views.
  std::vector<StateDict::Entry> slices(const at::Tensor& vector) const;
  void zero_gradient() { gradient_.zero_(); }

 private:
  struct Slice {
    std::string name;
    std::int64_t first, count;
    std::vector<std::int64_t> shape;
  };
  std::vector<Slice> slices_;
  at::Tensor values_, gradient_;
};

struct AdamConfig {
  double lr = 1e-4, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.0;
  bool amsgrad = false;
  template <class V>
  void fields(V& v) {
    v("lr", lr, "peak learning rate");
    v("beta1", beta1, "decay of the first moment");
    v("beta2", beta2, "decay of the second moment");
    v("eps", eps, "added to the root of the second moment");
    v("weight_decay", weight_decay, "decoupled weight decay (AdamW); 0 is Adam");
    v("amsgrad", amsgrad, "divide by the largest second moment so far (AMSGrad)");
  }
  void validate() const;
};

/// Adam with bias correction and decoupled weight decay:
///   m = b1 m + (1-b1) g,  v = b2 v + (1-b2) g^2,  p -= lr (wd p + (m / (1-b1^n)) / (sqrt(v / (1-b2^n)) + eps)).
/// With amsgrad the largest v so far, element by element, is in the place of v in p.
/// Source: Kingma & Ba 2015, "Adam", algorithm 1; Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization";
/// Reddi et al. 2018, "On the Convergence of Adam and Beyond".
/// Official: torch.optim.Adam as SGMSE+ uses it (sgmse/model.py).
class Adam {
 public:
  Adam(AdamConfig config, const at::Tensor& values);
  /// One update with `lr` in place of the config's rate.
  void step(at::Tensor& values, const at::Tensor& gradient, double lr);

  at::Tensor first_moment, second_moment;
  at::Tensor largest_moment;  ///< with amsgrad alone
  std::int64_t updates = 0;

 private:
  AdamConfig config_;
};

/// Exponential moving average of parameters with torch-ema's warm-up:
///   n += 1,  d = min(decay, (1+n) / (10+n)),  shadow -= (1-d) (shadow - value).
/// Official: fadel/pytorch_ema, torch_ema/ema.py.
class MovingAverage {
 public:
  MovingAverage(double decay, const at::Tensor& values);
  void update(const at::Tensor& values);

  at::Tensor shadow;
  std::int64_t updates = 0;

 private:
  double decay_;
};

}  // namespace reseda::train
