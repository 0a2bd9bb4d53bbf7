#include "modules/nn/sinusoidal_embedding.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::nn {
namespace {

const double kLogPeriod = std::log(10000.0);

at::Tensor padded(const at::Tensor& embedding, std::int64_t size) {
  return embedding.size(1) == size ? embedding : at::constant_pad_nd(embedding, {0, size - embedding.size(1)});
}

}  // namespace

at::Tensor sinusoidal_embedding(const at::Tensor& t, std::int64_t size) {
  RESEDA_INVARIANT(size >= 4);
  const std::int64_t count = size / 2;
  const double step = kLogPeriod / static_cast<double>(count - 1);
  const at::Tensor frequency = at::exp(at::arange(count, t.options()) * -step);
  const at::Tensor phase = t.unsqueeze(1) * frequency.unsqueeze(0);
  return padded(at::cat({phase.sin(), phase.cos()}, 1), size);
}

at::Tensor cosine_first_embedding(const at::Tensor& t, std::int64_t size) {
  RESEDA_INVARIANT(size >= 2);
  const std::int64_t count = size / 2;
  // The product is rounded before the division.
  const at::Tensor frequency = at::exp(at::arange(count, t.options()) * -kLogPeriod / static_cast<double>(count));
  const at::Tensor phase = t.unsqueeze(1) * frequency.unsqueeze(0);
  return padded(at::cat({phase.cos(), phase.sin()}, 1), size);
}

}  // namespace reseda::nn
