#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>

#include "modules/nn/layers.hpp"

namespace reseda::nn {

/// Adds a projected map to another:  out = Conv_0 (1x1) of x  +  h.
class Combine : public torch::nn::Module {
 public:
  /// @param narrow  channels of x   @param wide  channels of h
  Combine(std::int64_t narrow, std::int64_t wide);
  /// @param x  [B,narrow,H,W]   @param h  [B,wide,H,W]   @return [B,wide,H,W] in the type of h
  at::Tensor forward(const at::Tensor& x, const at::Tensor& h) const;

 private:
  std::shared_ptr<Conv2d> conv_;
};

}  // namespace reseda::nn
