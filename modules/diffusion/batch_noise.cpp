#include "modules/diffusion/batch_noise.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::diffusion {

template <class Draw>
at::Tensor BatchNoise::rows(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype, const Draw& draw) const {
  RESEDA_INVARIANT(!shape.empty() && shape[0] == static_cast<std::int64_t>(items_.size()));
  at::Tensor out = at::empty(shape, at::TensorOptions().dtype(dtype));
  for (std::size_t i = 0; i < items_.size(); ++i)
    out[static_cast<std::int64_t>(i)].copy_(draw(DrawKey{items_[i], key.stream, key.step, key.first}, shape.slice(1)));
  return out;
}

at::Tensor BatchNoise::normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype) {
  return rows(key, shape, dtype,
              [&](const DrawKey& row, at::IntArrayRef one) { return inner_.normal(row, one, dtype); });
}

at::Tensor BatchNoise::uniform(const DrawKey& key, at::IntArrayRef shape) {
  return rows(key, shape, at::kFloat,
              [&](const DrawKey& row, at::IntArrayRef one) { return inner_.uniform(row, one); });
}

}  // namespace reseda::diffusion
