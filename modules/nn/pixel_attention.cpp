#include "modules/nn/pixel_attention.hpp"

#include <ATen/ATen.h>
#include <torch/nn/modules/container/modulelist.h>

#include <cmath>

namespace reseda::nn {

Probe under(const Probe& probe, const std::string& prefix) {
  if (!probe) return {};
  return [probe, prefix](const std::string& name, const at::Tensor& value) { probe(prefix + "." + name, value); };
}

LinearAttention::LinearAttention(std::int64_t channels, AttentionHeads heads) : heads_(heads) {
  const std::int64_t inner = heads.count * heads.width;
  to_qkv_ = register_module("to_qkv",
                            std::make_shared<PlainConv2d>(channels, 3 * inner, kPointwise, /*with_bias=*/Bias::kNo));
  to_out_ = std::make_shared<PlainConv2d>(inner, channels, kPointwise);
  norm_ = std::make_shared<ChannelNorm>(channels);
  register_module("to_out", torch::nn::ModuleList(to_out_, norm_));
}

at::Tensor LinearAttention::forward(const at::Tensor& x, const Probe& probe) const {
  const at::Tensor tokens = to_tokens(x).to(at::kFloat).contiguous();
  const std::int64_t batch = tokens.size(0), pixels = tokens.size(1), channels = tokens.size(2);
  const std::int64_t count = heads_.count, width = heads_.width, inner = count * width;
  const at::Tensor weight = to_qkv_->weight.flatten(1);
  if (probe) probe("to_qkv", from_tokens(at::linear(tokens, weight), x.size(2), x.size(3)));

  // Keys and values stand pixels last, along which the keys are normalised, and are gone before the queries come: at
  // full resolution they are the largest tensors of a network.
  at::Tensor context;
  {
    const at::Tensor pixels_last = tokens.transpose(1, 2);
    const auto projected = [&](std::int64_t part) {
      return at::bmm(weight.narrow(0, part * inner, inner).expand({batch, inner, channels}), pixels_last);
    };
    const at::Tensor keys = projected(1).softmax(-1).view({batch * count, width, pixels});
    const at::Tensor values = projected(2).view({batch * count, width, pixels});
    const double scale = 1 / (std::sqrt(static_cast<double>(width)) * static_cast<double>(pixels));
    context = at::bmm(keys, values.transpose(1, 2)).view({batch, count, width, width}) * scale;
  }
  // Context and output projection are one matrix per item, [B,inner,C].
  const at::Tensor out_weight = to_out_->weight.flatten(1).t().view({count, width, channels});
  const at::Tensor mixing = at::matmul(context, out_weight).flatten(1, 2);

  const at::Tensor queries = at::linear(tokens, weight.narrow(0, 0, inner)).view({batch, pixels, count, width});
  const at::Tensor out = at::baddbmm(to_out_->bias, queries.softmax(-1).flatten(2), mixing);
  if (probe) probe("to_out.0", from_tokens(out, x.size(2), x.size(3)));
  const at::Tensor normed = from_tokens(norm_->of_tokens(out), x.size(2), x.size(3));
  if (probe) probe("to_out.1", normed);
  if (probe) probe("to_out", normed);
  return normed;
}

FullAttention::FullAttention(std::int64_t channels, AttentionHeads heads) : heads_(heads) {
  const std::int64_t inner = heads.count * heads.width;
  to_qkv_ = register_module("to_qkv",
                            std::make_shared<PlainConv2d>(channels, 3 * inner, kPointwise, /*with_bias=*/Bias::kNo));
  to_out_ = register_module("to_out", std::make_shared<PlainConv2d>(inner, channels, kPointwise));
}

at::Tensor FullAttention::forward(const at::Tensor& x, const Probe& probe) const {
  const at::Tensor tokens = to_tokens(x).to(at::kFloat);
  const std::int64_t batch = tokens.size(0), pixels = tokens.size(1);
  const at::Tensor projected = to_qkv_->of_tokens(tokens);
  if (probe) probe("to_qkv", from_tokens(projected, x.size(2), x.size(3)));
  const at::Tensor parts = projected.view({batch, pixels, 3, heads_.count, heads_.width}).permute({2, 0, 3, 1, 4});
  const at::Tensor mixed = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  const at::Tensor out = to_out_->of_tokens(mixed.transpose(1, 2).reshape({batch, pixels, -1}));
  const at::Tensor map = from_tokens(out, x.size(2), x.size(3));
  if (probe) probe("to_out", map);
  return map;
}

ResidualAttention::ResidualAttention(std::int64_t channels, std::shared_ptr<PixelAttention> attention)
    : attention_(std::move(attention)), norm_(std::make_shared<ChannelNorm>(channels)) {
  const auto normed = register_module("fn", std::make_shared<torch::nn::Module>("PreNorm"));
  normed->register_module("fn", attention_);
  normed->register_module("norm", norm_);
}

at::Tensor ResidualAttention::forward(const at::Tensor& x, const Probe& probe) const {
  const at::Tensor normed = norm_->forward(x);
  if (probe) probe("fn.norm", normed);
  at::Tensor h = attention_->forward(normed, under(probe, "fn.fn"));
  if (probe) {
    probe("fn.fn", h);
    probe("fn", h);
    h = h.clone();
  }
  return sum_consumed(x, h.to(x.scalar_type()));
}

}  // namespace reseda::nn
