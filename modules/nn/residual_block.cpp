#include "modules/nn/residual_block.hpp"

#include <ATen/ATen.h>

#include "modules/nn/fir.hpp"

namespace reseda::nn {

ResidualBlock::ResidualBlock(std::int64_t in, std::int64_t out, std::int64_t embedding, Resample resample)
    : resample_(resample) {
  norm0_ = register_module("GroupNorm_0", std::make_shared<GroupNorm>(in));
  conv0_ = register_module("Conv_0", std::make_shared<Conv2d>(in, out, 3));
  dense_ = register_module("Dense_0", std::make_shared<Linear>(embedding, out));
  norm1_ = register_module("GroupNorm_1", std::make_shared<GroupNorm>(out));
  conv1_ = register_module("Conv_1", std::make_shared<Conv2d>(out, out, 3, /*init_scale=*/0.0));
  if (in != out || resample != Resample::kNone)
    shortcut_ = register_module("Conv_2", std::make_shared<Conv2d>(in, out, 1));
}

at::Tensor ResidualBlock::resampled(const at::Tensor& x) const {
  if (resample_ == Resample::kUp) return fir_up2(x);
  return resample_ == Resample::kDown ? fir_down2(x) : x;
}

at::Tensor ResidualBlock::first_half(const at::Tensor& x, const at::Tensor& silu_temb, const Probe& probe) const {
  if (probe) probe("GroupNorm_0", norm0_->forward(x));
  const at::Tensor h = resampled(norm0_->forward_silu(x));
  const at::Tensor shift = dense_->forward(silu_temb);
  // With one item in the batch the embedding is one more bias.
  if (x.size(0) == 1 && !probe) return conv0_->forward(h, conv0_->bias + shift[0]);
  at::Tensor convolved = conv0_->forward(h);
  if (probe) probe("Conv_0", convolved);
  const at::Tensor wide = shift.to(convolved.scalar_type()).unsqueeze(-1).unsqueeze(-1);
  return at::GradMode::is_enabled() ? convolved + wide : convolved.add_(wide);
}

at::Tensor ResidualBlock::forward(const at::Tensor& x, const at::Tensor& silu_temb, const Probe& probe) const {
  at::Tensor h = first_half(x, silu_temb, probe);
  h = conv1_->forward(norm1_->forward_silu(h));
  if (probe) probe("Conv_1", h.clone());
  const at::Tensor short_way = resampled(x);
  return scaled_sum(shortcut_ ? shortcut_->forward(short_way) : short_way, h);
}

}  // namespace reseda::nn
