#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace reseda::inverse {

/// Adam on one tensor: with g the gradient of step k = 1, 2, ..., b = 0.9 and b' = 0.99 (RED-diff) or another
///   m <- b m + (1 - b) g,   v <- b' v + (1 - b') g^2
///   x <- x - lr / (1 - b^k) m / (sqrt(v) / sqrt(1 - b'^k) + 1e-8)
/// Complex values are taken as pairs of real ones.
/// Source: Kingma & Ba 2015, "Adam". Official: NVlabs/RED-diff, algos/reddiff.py.
class AdamStep {
 public:
  explicit AdamStep(double second_decay = 0.99) : beta2_(second_decay) {}
  /// The value after one step. Neither argument is written to.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& gradient, double lr);

 private:
  double beta2_;
  at::Tensor mean_, square_;
  std::int64_t taken_ = 0;
};

/// The learning rate of step k = 0 .. n-1: lr, or lr (1 + cos(pi k / n)) / 2 for "cosine".
double scheduled_rate(double lr, const std::string& schedule, std::int64_t k, std::int64_t n);

}  // namespace reseda::inverse
