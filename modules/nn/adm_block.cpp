#include "modules/nn/adm_block.hpp"

#include <ATen/ATen.h>

#include <utility>

#include "modules/nn/ddpm_block.hpp"
#include "modules/nn/init.hpp"

namespace reseda::nn {
namespace {

constexpr ConvOptions kHalving = {.kernel = 3, .stride = 2, .padding = 1};

at::Tensor mean_pixels(const at::Tensor& x) { return at::avg_pool2d(x, {2, 2}); }

}  // namespace

std::shared_ptr<PlainGroupNorm> adm_norm(std::int64_t channels) {
  return std::make_shared<PlainGroupNorm>(32, channels, 1e-5);
}

AdmBlock::AdmBlock(std::int64_t in, std::int64_t out, std::int64_t embedding, AdmBlockOptions options)
    : options_(options) {
  const auto sequence = [this](const char* name) {
    return register_module(name, std::make_shared<torch::nn::Module>("Sequential"));
  };
  const auto before = sequence("in_layers");
  norm_in_ = before->register_module("0", adm_norm(in));
  conv_in_ = before->register_module("2", std::make_shared<PlainConv2d>(in, out));
  const std::int64_t modulated = options_.modulation == Modulation::kScaleShift ? 2 * out : out;
  emb_ = sequence("emb_layers")->register_module("1", std::make_shared<PlainLinear>(embedding, modulated));
  const auto after = sequence("out_layers");
  norm_out_ = after->register_module("0", adm_norm(out));
  conv_out_ = after->register_module("3", std::make_shared<PlainConv2d>(out, out));
  set_to_zero(*conv_out_);
  if (in == out) return;
  skip_ = register_module("skip_connection", std::make_shared<PlainConv2d>(
                                                 in, out, options_.skip_kernel == 1 ? kPointwise : ConvOptions{}));
}

at::Tensor AdmBlock::resampled(const at::Tensor& x) const {
  if (options_.resample == Resample::kUp) return repeat_pixels(x);
  return options_.resample == Resample::kDown ? mean_pixels(x) : x;
}

at::Tensor AdmBlock::modulated(at::Tensor h, const at::Tensor& embedded) const {
  if (options_.modulation == Modulation::kScaleShift) {
    const auto halves = embedded.chunk(2, 1);
    return norm_out_->forward(h, halves[0], halves[1]);
  }
  const at::Tensor shift = embedded.to(h.scalar_type()).unsqueeze(-1).unsqueeze(-1);
  return norm_out_->forward(sum_consumed(shift, std::move(h)));
}

at::Tensor AdmBlock::forward(const at::Tensor& x, const at::Tensor& silu_temb) const {
  at::Tensor h = conv_in_->forward(resampled(silu_consumed(norm_in_->forward(x))));
  h = conv_out_->forward(silu_consumed(modulated(std::move(h), emb_->forward(silu_temb))));
  const at::Tensor straight = resampled(x);
  return sum_consumed(skip_ ? skip_->forward(straight) : straight, std::move(h));
}

AdmDownsample::AdmDownsample(std::int64_t channels, WithConv with_conv) {
  if (with_conv == WithConv::kYes)
    op_ = register_module("op", std::make_shared<PlainConv2d>(channels, channels, kHalving));
}

AdmDownsample::AdmDownsample(std::int64_t in, std::int64_t out) {
  op_ = register_module("op", std::make_shared<PlainConv2d>(in, out, kHalving));
}

at::Tensor AdmDownsample::forward(const at::Tensor& x, const at::Tensor& /*silu_temb*/) const {
  return op_ ? op_->forward(x) : mean_pixels(x);
}

AdmUpsample::AdmUpsample(std::int64_t channels, WithConv with_conv) {
  if (with_conv == WithConv::kYes) conv_ = register_module("conv", std::make_shared<PlainConv2d>(channels, channels));
}

AdmUpsample::AdmUpsample(std::int64_t in, std::int64_t out) {
  conv_ = register_module("conv", std::make_shared<PlainConv2d>(in, out));
}

at::Tensor AdmUpsample::forward(const at::Tensor& x, const at::Tensor& /*silu_temb*/) const {
  const at::Tensor wide = repeat_pixels(x);
  return conv_ ? conv_->forward(wide) : wide;
}

}  // namespace reseda::nn
