#include "modules/nn/adm_attention.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"
#include "modules/nn/init.hpp"

namespace reseda::nn {
namespace {

void require_heads(std::int64_t channels, std::int64_t heads) {
  RESEDA_REQUIRE(heads >= 1 && channels % heads == 0, Errc::kUsage, "attention over ", channels,
                 " channels cannot have ", heads, " heads");
}

/// q, k, v of tokens [B,N,3C] as one tensor [3,B,heads,N,C/heads].
at::Tensor by_head(const at::Tensor& qkv, std::int64_t heads, QkvOrder order) {
  const std::int64_t batch = qkv.size(0), count = qkv.size(1), width = qkv.size(2) / (3 * heads);
  if (order == QkvOrder::kHeadsFirst) return qkv.view({batch, count, heads, 3, width}).permute({3, 0, 2, 1, 4});
  return qkv.view({batch, count, 3, heads, width}).permute({2, 0, 3, 1, 4});
}

}  // namespace

PointwiseConv1d::PointwiseConv1d(std::int64_t in, std::int64_t out) {
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  weight = register_parameter("weight", at::empty({out, in, 1}, at::kFloat).uniform_(-bound, bound));
  bias = register_parameter("bias", at::empty({out}, at::kFloat).uniform_(-bound, bound));
}

at::Tensor PointwiseConv1d::of_tokens(const at::Tensor& tokens) const {
  const at::ScalarType type = tokens.scalar_type();
  return at::linear(tokens, weight.squeeze(-1).to(type), bias.to(type));
}

AdmAttention::AdmAttention(std::int64_t channels, std::int64_t heads, QkvOrder order) : heads_(heads), order_(order) {
  require_heads(channels, heads);
  norm_ = register_module("norm", adm_norm(channels));
  qkv_ = register_module("qkv", std::make_shared<PointwiseConv1d>(channels, 3 * channels));
  proj_out_ = register_module("proj_out", std::make_shared<PointwiseConv1d>(channels, channels));
  set_to_zero(*proj_out_);
}

at::Tensor AdmAttention::forward(const at::Tensor& x, const at::Tensor& /*silu_temb*/) const {
  const at::Tensor qkv = qkv_->of_tokens(to_tokens(norm_->forward(x)));
  const at::Tensor parts = by_head(qkv, heads_, order_).to(at::kFloat);
  const at::Tensor mixed = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  const at::Tensor tokens = mixed.transpose(1, 2).reshape({x.size(0), -1, x.size(1)}).to(x.scalar_type());
  return sum_consumed(x, from_tokens(proj_out_->of_tokens(tokens), x.size(2), x.size(3)));
}

AdmAttentionPool::AdmAttentionPool(std::int64_t side, std::int64_t channels, std::int64_t heads, std::int64_t out)
    : heads_(heads) {
  require_heads(channels, heads);
  const double deviation = 1 / std::sqrt(static_cast<double>(channels));
  positional_embedding_ = register_parameter("positional_embedding",
                                             at::empty({channels, side * side + 1}, at::kFloat).normal_(0, deviation));
  qkv_proj_ = register_module("qkv_proj", std::make_shared<PointwiseConv1d>(channels, 3 * channels));
  c_proj_ = register_module("c_proj", std::make_shared<PointwiseConv1d>(channels, out));
}

at::Tensor AdmAttentionPool::forward(const at::Tensor& x) const {
  const std::int64_t pixels = x.size(2) * x.size(3);
  RESEDA_REQUIRE(pixels + 1 == positional_embedding_.size(1), Errc::kUsage, "attention pooling takes ",
                 positional_embedding_.size(1) - 1, " pixels, network.image_size's, but the map has ", pixels);
  const at::Tensor map = to_tokens(x).to(at::kFloat);
  const at::Tensor tokens = at::cat({map.mean(1, /*keepdim=*/true), map}, 1) + positional_embedding_.t();
  const at::Tensor parts = by_head(qkv_proj_->of_tokens(tokens), heads_, QkvOrder::kPartsFirst);
  // Only the mean pixel asks.
  const at::Tensor mixed = at::scaled_dot_product_attention(parts[0].narrow(2, 0, 1), parts[1], parts[2]);
  return c_proj_->of_tokens(mixed.reshape({x.size(0), x.size(1)}));
}

}  // namespace reseda::nn
