#pragma once

#include <ATen/core/Tensor.h>

#include "modules/diffusion/process.hpp"

namespace reseda::diffusion {

/// A coefficient of one value for all items or one per item, as [1, 1] or [B, 1]. @throws Error{kUsage} for a
/// coefficient that varies within an item; `who` begins the message
inline at::Tensor item_coefficient(const char* who, const Coef& coef, const at::Tensor& x) {
  const at::Tensor& value = coef.value;
  const bool one_per_item = value.dim() == x.dim() && value.numel() == value.size(0);
  RESEDA_REQUIRE(value.numel() == 1 || one_per_item, Errc::kUsage, who,
                 " needs a process whose coefficients do not vary within an item, got ", value.sizes());
  return value.reshape({-1, 1});
}

}  // namespace reseda::diffusion
