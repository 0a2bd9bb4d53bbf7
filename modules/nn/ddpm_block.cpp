#include "modules/nn/ddpm_block.hpp"

#include <ATen/ATen.h>

#include <utility>

namespace reseda::nn {
namespace {

std::shared_ptr<PlainGroupNorm> norm_of(std::int64_t channels) {
  return std::make_shared<PlainGroupNorm>(32, channels, 1e-6);
}

}  // namespace

DdpmBlock::DdpmBlock(std::int64_t in, std::int64_t out, std::int64_t embedding) {
  norm1_ = register_module("norm1", norm_of(in));
  conv1_ = register_module("conv1", std::make_shared<PlainConv2d>(in, out));
  if (embedding > 0) temb_proj_ = register_module("temb_proj", std::make_shared<PlainLinear>(embedding, out));
  norm2_ = register_module("norm2", norm_of(out));
  conv2_ = register_module("conv2", std::make_shared<PlainConv2d>(out, out));
  if (in != out) nin_shortcut_ = register_module("nin_shortcut", std::make_shared<PlainConv2d>(in, out, kPointwise));
}

at::Tensor DdpmBlock::forward(const at::Tensor& x, const at::Tensor& silu_temb, const Probe& probe) const {
  if (probe) probe("norm1", norm1_->forward(x));
  at::Tensor h = conv1_->forward(silu_consumed(norm1_->forward(x)));
  if (probe) probe("conv1", h.clone());
  if (temb_proj_) {
    const at::Tensor shift = temb_proj_->forward(silu_temb);
    if (probe) probe("temb_proj", shift);
    h = sum_consumed(shift.to(h.scalar_type()).unsqueeze(-1).unsqueeze(-1), h);
  }
  if (probe) probe("norm2", norm2_->forward(h));
  h = conv2_->forward(silu_consumed(norm2_->forward(h)));
  if (probe) probe("conv2", h.clone());
  const at::Tensor straight = nin_shortcut_ ? nin_shortcut_->forward(x) : x;
  if (probe && nin_shortcut_) probe("nin_shortcut", straight);
  return sum_consumed(straight, std::move(h));
}

DdpmAttention::DdpmAttention(std::int64_t channels) {
  norm_ = register_module("norm", norm_of(channels));
  const auto pointwise = [channels] { return std::make_shared<PlainConv2d>(channels, channels, kPointwise); };
  q_ = register_module("q", pointwise());
  k_ = register_module("k", pointwise());
  v_ = register_module("v", pointwise());
  proj_out_ = register_module("proj_out", pointwise());
}

at::Tensor DdpmAttention::forward(const at::Tensor& x, const Probe& probe) const {
  const at::Tensor normed = norm_->forward(x);
  const at::Tensor tokens = to_tokens(normed).to(at::kFloat);
  const at::Tensor q = q_->of_tokens(tokens), k = k_->of_tokens(tokens), v = v_->of_tokens(tokens);
  const at::Tensor mixed = at::scaled_dot_product_attention(q.unsqueeze(1), k.unsqueeze(1), v.unsqueeze(1)).squeeze(1);
  const at::Tensor h = from_tokens(proj_out_->of_tokens(mixed), x.size(2), x.size(3));
  if (probe) {
    const auto map = [&x](const at::Tensor& value) { return from_tokens(value, x.size(2), x.size(3)); };
    probe("norm", normed);
    probe("q", map(q));
    probe("k", map(k));
    probe("v", map(v));
    probe("proj_out", h.clone());
  }
  return sum_consumed(x, h.to(x.scalar_type()));
}

DdpmDownsample::DdpmDownsample(std::int64_t channels) {
  conv_ = register_module(
      "conv", std::make_shared<PlainConv2d>(channels, channels, ConvOptions{.kernel = 3, .stride = 2, .padding = 0}));
}

at::Tensor DdpmDownsample::forward(const at::Tensor& x) const {
  return conv_->forward(at::constant_pad_nd(x, {0, 1, 0, 1}));
}

DdpmUpsample::DdpmUpsample(std::int64_t channels) {
  conv_ = register_module("conv", std::make_shared<PlainConv2d>(channels, channels));
}

at::Tensor DdpmUpsample::forward(const at::Tensor& x) const { return conv_->forward(repeat_pixels(x)); }

at::Tensor repeat_pixels(const at::Tensor& x) { return at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)}); }

}  // namespace reseda::nn
