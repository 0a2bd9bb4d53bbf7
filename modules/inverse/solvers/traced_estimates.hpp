#pragma once

#include <ATen/core/Tensor.h>

#include "modules/diffusion/denoiser.hpp"

namespace reseda::inverse {

/// A denoiser's estimates at x together with what pulls gradients back through it to x. Works in inference mode too.
class TracedEstimates {
 public:
  TracedEstimates(const diffusion::Denoiser& denoiser, const at::Tensor& x, double t);
  /// Without a graph.
  const diffusion::Estimates& values() const { return values_; }
  /// The gradient of <x0, v> with respect to x, (d x0 / d x)^T v; 0 where x0 does not depend on x. Once per object.
  at::Tensor pull_back(const at::Tensor& v) const;

 private:
  at::Tensor x_, x0_;
  diffusion::Estimates values_;
};

}  // namespace reseda::inverse
