#include "modules/nn/modulated_block.hpp"

#include <ATen/ATen.h>

#include <utility>

#include "modules/nn/pixel_attention.hpp"

namespace reseda::nn {

ModulatedConv::ModulatedConv(std::int64_t in, std::int64_t out, std::int64_t groups) {
  proj_ = register_module("proj", std::make_shared<StandardizedConv2d>(in, out));
  norm_ = register_module("norm", std::make_shared<PlainGroupNorm>(groups, out, 1e-5));
}

at::Tensor ModulatedConv::forward(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift,
                                  const Probe& probe) const {
  const at::Tensor convolved = proj_->forward(x);
  if (probe) {
    probe("proj", convolved);
    probe("norm", norm_->forward(convolved));
  }
  return silu_consumed(scale.defined() ? norm_->forward(convolved, scale, shift) : norm_->forward(convolved));
}

ModulatedBlock::ModulatedBlock(std::int64_t in, std::int64_t out, std::int64_t embedding, std::int64_t groups) {
  if (embedding > 0) {
    mlp_ = std::make_shared<PlainLinear>(embedding, 2 * out);
    register_module("mlp", std::make_shared<torch::nn::Module>("Sequential"))->register_module("1", mlp_);
  }
  block1_ = register_module("block1", std::make_shared<ModulatedConv>(in, out, groups));
  block2_ = register_module("block2", std::make_shared<ModulatedConv>(out, out, groups));
  if (in != out) res_conv_ = register_module("res_conv", std::make_shared<PlainConv2d>(in, out, kPointwise));
}

at::Tensor ModulatedBlock::forward(const at::Tensor& x, const at::Tensor& silu_temb, const Probe& probe) const {
  at::Tensor scale, shift;
  if (mlp_) {
    const at::Tensor modulation = mlp_->forward(silu_temb);
    if (probe) probe("mlp", modulation);
    const auto halves = modulation.chunk(2, 1);
    scale = halves[0];
    shift = halves[1];
  }
  at::Tensor h = block1_->forward(x, scale, shift, under(probe, "block1"));
  if (probe) probe("block1", h);
  h = block2_->forward(h, {}, {}, under(probe, "block2"));
  if (probe) probe("block2", h.clone());
  const at::Tensor straight = res_conv_ ? res_conv_->forward(x) : x;
  if (probe && res_conv_) probe("res_conv", straight);
  return sum_consumed(straight, std::move(h));
}

}  // namespace reseda::nn
