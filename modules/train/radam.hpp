#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modules/train/adam.hpp"

namespace reseda::train {

/// Rectified Adam, the optimiser of RDDM's generation code. With r_inf = 2 / (1 - b2) - 1 and r = r_inf - 2 n b2^n /
/// (1 - b2^n), moments m and v as Adam's:
///   r > 5   p -= lr q m / (1 - b1^n) sqrt(1 - b2^n) / (sqrt(v) + eps),
///           q = sqrt((r - 4) (r - 2) r_inf / ((r_inf - 4) (r_inf - 2) r))
///   else    p -= lr m / (1 - b1^n)
/// Weight decay is decoupled, as in Adam here.
/// Source: Liu et al. 2020, "On the Variance of the Adaptive Learning Rate and Beyond", algorithm 2. Official:
/// torch.optim.RAdam.
class RAdam {
 public:
  RAdam(AdamConfig config, const at::Tensor& values);
  /// One update with `lr` in place of the config's rate.
  void step(at::Tensor& values, const at::Tensor& gradient, double lr);

  at::Tensor first_moment, second_moment;
  std::int64_t updates = 0;

 private:
  AdamConfig config_;
};

/// Stochastic gradient descent with Nesterov's momentum u:  v = u v + g,  p -= lr (g + u v).
/// Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", Sec. 2.
/// Official: torch.optim.SGD with nesterov, an option of Resfusion's training.
class NesterovDescent {
 public:
  NesterovDescent(double momentum, const at::Tensor& values);
  void step(at::Tensor& values, const at::Tensor& gradient, double lr);

  at::Tensor velocity;

 private:
  double momentum_;
};

/// Scales a gradient down to a Euclidean norm: factor min(1, limit / (norm + 1e-6)).
/// @return the norm before. Official: torch.nn.utils.clip_grad_norm_
double clip_norm(at::Tensor& gradient, double limit);

/// Learning rate of epoch n of N under cosine annealing:  last + (first - last) (1 + cos(pi n / N)) / 2.
/// Source: Loshchilov & Hutter 2017, "SGDR", Eq. (5) without restarts. Official: torch.optim.lr_scheduler,
/// CosineAnnealingLR.
double cosine_annealing(double first, double last, std::int64_t epoch, std::int64_t epochs);

}  // namespace reseda::train
