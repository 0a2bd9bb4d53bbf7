#include "modules/nn/layers.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <numbers>

#include "modules/core/error.hpp"
#include "modules/nn/init.hpp"

namespace reseda::nn {

Conv2d::Conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, double init_scale) {
  RESEDA_INVARIANT(kernel % 2 == 1);
  weight = register_parameter("weight", fan_average_uniform({out, in, kernel, kernel}, init_scale));
  bias = register_parameter("bias", at::zeros({out}));
}

at::Tensor Conv2d::forward(const at::Tensor& x, const at::Tensor& other_bias) const {
  const std::int64_t padding = weight.size(2) / 2;
  return at::conv2d(x, weight.to(x.scalar_type()), other_bias.to(x.scalar_type()), /*stride=*/1, padding);
}

Linear::Linear(std::int64_t in, std::int64_t out) {
  weight = register_parameter("weight", fan_average_uniform({out, in}));
  bias = register_parameter("bias", at::zeros({out}));
}

at::Tensor Linear::forward(const at::Tensor& x) const {
  return at::linear(x, weight.to(x.scalar_type()), bias.to(x.scalar_type()));
}

Nin::Nin(std::int64_t in, std::int64_t out, double init_scale) {
  W = register_parameter("W", fan_average_uniform({in, out}, init_scale));
  b = register_parameter("b", at::zeros({out}));
}

at::Tensor Nin::forward(const at::Tensor& x) const {
  const at::Tensor weight = W.to(x.scalar_type()).t();
  return at::linear(x.permute({0, 2, 3, 1}), weight, b.to(x.scalar_type())).permute({0, 3, 1, 2});
}

GroupNorm::GroupNorm(std::int64_t channels) : groups_(std::min<std::int64_t>(channels / 4, 32)) {
  RESEDA_REQUIRE(groups_ >= 1 && channels % groups_ == 0, Errc::kUsage, "a layer of ", channels,
                 " channels cannot be normalised in ", groups_, " groups (a quarter of the channels, at most 32)");
  weight = register_parameter("weight", at::ones({channels}));
  bias = register_parameter("bias", at::zeros({channels}));
}

at::Tensor GroupNorm::forward(const at::Tensor& x) const {
  return at::group_norm(x, groups_, weight.to(x.scalar_type()), bias.to(x.scalar_type()), 1e-6);
}

at::Tensor GroupNorm::forward_silu(const at::Tensor& x) const { return silu_consumed(forward(x)); }

at::Tensor silu_consumed(at::Tensor x) { return at::GradMode::is_enabled() ? at::silu(x) : at::silu_(x); }

at::Tensor scaled_sum(const at::Tensor& x, at::Tensor h) {
  if (at::GradMode::is_enabled()) return (x + h) / std::numbers::sqrt2;
  return h.add_(x).div_(std::numbers::sqrt2);
}

}  // namespace reseda::nn
