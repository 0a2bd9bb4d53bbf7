#include "modules/nn/resnet_block.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <string>

namespace reseda::nn {

std::shared_ptr<PlainConv2d> resnet_conv(std::int64_t in, std::int64_t out, ConvOptions options) {
  auto conv = std::make_shared<PlainConv2d>(in, out, options, Bias::kNo);
  const at::NoGradGuard no_grad;
  conv->weight.normal_(0, std::sqrt(2.0 / static_cast<double>(options.kernel * options.kernel * out)));
  return conv;
}

ResnetBlock::ResnetBlock(Kind kind, std::int64_t in, std::int64_t width, std::int64_t stride) {
  const std::int64_t out = channels(kind, width);
  if (kind == Kind::kBasic) {
    convs_ = {resnet_conv(in, width, {.stride = stride}), resnet_conv(width, width, {})};
  } else {
    convs_ = {resnet_conv(in, width, kPointwise), resnet_conv(width, width, {.stride = stride}),
              resnet_conv(width, out, kPointwise)};
  }
  for (std::size_t i = 0; i < convs_.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    register_module("conv" + number, convs_[i]);
    norms_.push_back(register_module("bn" + number, std::make_shared<BatchNorm>(i + 1 < convs_.size() ? width : out)));
  }
  if (stride == 1 && in == out) return;
  const auto downsample = register_module("downsample", std::make_shared<torch::nn::Module>("Sequential"));
  shortcut_ = downsample->register_module("0", resnet_conv(in, out, {.kernel = 1, .stride = stride, .padding = 0}));
  shortcut_norm_ = downsample->register_module("1", std::make_shared<BatchNorm>(out));
}

at::Tensor ResnetBlock::forward(const at::Tensor& x) {
  at::Tensor h = x;
  for (std::size_t i = 0; i < convs_.size(); ++i) {
    h = norms_[i]->forward(convs_[i]->forward(h));
    if (i + 1 < convs_.size()) h = at::relu(h);
  }
  return at::relu(h + (shortcut_ ? shortcut_norm_->forward(shortcut_->forward(x)) : x));
}

ResnetStage::ResnetStage(ResnetBlock::Kind kind, std::int64_t in, std::int64_t width, std::int64_t blocks,
                         std::int64_t stride) {
  for (std::int64_t i = 0; i < blocks; ++i) {
    auto block = std::make_shared<ResnetBlock>(kind, i == 0 ? in : ResnetBlock::channels(kind, width), width,
                                               i == 0 ? stride : 1);
    blocks_.push_back(register_module(std::to_string(i), std::move(block)));
  }
}

at::Tensor ResnetStage::forward(at::Tensor x) {
  for (const auto& block : blocks_) x = block->forward(x);
  return x;
}

}  // namespace reseda::nn
