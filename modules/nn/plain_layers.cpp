#include "modules/nn/plain_layers.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::nn {
namespace {

constexpr double kEps = 1e-5;

at::Tensor uniform_within(at::IntArrayRef shape, std::int64_t fan_in) {
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  return at::empty(shape, at::kFloat).uniform_(-bound, bound);
}

}  // namespace

PlainConv2d::PlainConv2d(std::int64_t in, std::int64_t out, ConvOptions options, Bias with_bias) : options_(options) {
  const std::int64_t seen = in / options.groups, fan_in = seen * options.kernel * options.kernel;
  weight = register_parameter("weight", uniform_within({out, seen, options.kernel, options.kernel}, fan_in));
  if (with_bias == Bias::kYes) bias = register_parameter("bias", uniform_within({out}, fan_in));
}

at::Tensor PlainConv2d::convolve(const at::Tensor& x, const at::Tensor& other_weight) const {
  const at::ScalarType type = x.scalar_type();
  return at::conv2d(x, other_weight.to(type), bias.defined() ? bias.to(type) : bias, options_.stride, options_.padding,
                    /*dilation=*/1, options_.groups);
}

at::Tensor PlainConv2d::of_tokens(const at::Tensor& tokens) const {
  RESEDA_INVARIANT(options_.kernel == 1);
  const at::ScalarType type = tokens.scalar_type();
  return at::linear(tokens, weight.flatten(1).to(type), bias.defined() ? bias.to(type) : bias);
}

at::Tensor StandardizedConv2d::forward(const at::Tensor& x) const {
  const at::Tensor filters = weight.flatten(1);
  return convolve(x, at::layer_norm(filters, {filters.size(1)}, {}, {}, kEps).view(weight.sizes()));
}

PlainLinear::PlainLinear(std::int64_t in, std::int64_t out) {
  weight = register_parameter("weight", uniform_within({out, in}, in));
  bias = register_parameter("bias", uniform_within({out}, in));
}

at::Tensor PlainLinear::forward(const at::Tensor& x) const {
  return at::linear(x, weight.to(x.scalar_type()), bias.to(x.scalar_type()));
}

PlainLayerNorm::PlainLayerNorm(std::int64_t channels) {
  weight = register_parameter("weight", at::ones({channels}));
  bias = register_parameter("bias", at::zeros({channels}));
}

at::Tensor PlainLayerNorm::forward(const at::Tensor& x) const {
  return at::layer_norm(x, weight.sizes(), weight.to(x.scalar_type()), bias.to(x.scalar_type()), kEps);
}

PlainGroupNorm::PlainGroupNorm(std::int64_t groups, std::int64_t channels, double eps) : groups_(groups), eps_(eps) {
  RESEDA_REQUIRE(groups >= 1 && channels % groups == 0, Errc::kUsage, "a layer of ", channels,
                 " channels cannot be normalised in ", groups, " groups");
  weight = register_parameter("weight", at::ones({channels}));
  bias = register_parameter("bias", at::zeros({channels}));
}

at::Tensor PlainGroupNorm::forward(const at::Tensor& x) const {
  return at::group_norm(x, groups_, weight.to(x.scalar_type()), bias.to(x.scalar_type()), eps_);
}

at::Tensor PlainGroupNorm::forward(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift) const {
  const at::ScalarType type = x.scalar_type();
  if (x.size(0) == 1) {
    // With one item in the batch the modulation is another gain and bias.
    const at::Tensor gain = scale[0] + 1;
    return at::group_norm(x, groups_, (weight * gain).to(type), (bias * gain + shift[0]).to(type), eps_);
  }
  const at::Tensor gain = (scale + 1).to(type).unsqueeze(-1).unsqueeze(-1);
  const at::Tensor offset = shift.to(type).unsqueeze(-1).unsqueeze(-1);
  const at::Tensor normed = forward(x);
  return at::GradMode::is_enabled() ? normed * gain + offset : normed.mul_(gain).add_(offset);
}

ChannelNorm::ChannelNorm(std::int64_t channels) { g = register_parameter("g", at::ones({1, channels, 1, 1})); }

at::Tensor ChannelNorm::of_tokens(const at::Tensor& tokens) const {
  return at::layer_norm(tokens, {g.numel()}, g.flatten().to(tokens.scalar_type()), {}, kEps);
}

at::Tensor ChannelNorm::forward(const at::Tensor& x) const {
  return of_tokens(x.permute({0, 2, 3, 1})).permute({0, 3, 1, 2});
}

at::Tensor to_tokens(const at::Tensor& x) { return x.permute({0, 2, 3, 1}).flatten(1, 2); }

at::Tensor from_tokens(const at::Tensor& tokens, std::int64_t height, std::int64_t width) {
  return tokens.unflatten(1, {height, width}).permute({0, 3, 1, 2});
}

at::Tensor sum_consumed(const at::Tensor& x, at::Tensor h) { return at::GradMode::is_enabled() ? x + h : h.add_(x); }

}  // namespace reseda::nn
