#include "modules/nets/resnet.hpp"

#include <ATen/ATen.h>

#include <string>

#include "modules/core/error.hpp"

namespace reseda::nets {

Resnet::Resnet(const ResnetLayout& layout) : large_stem_(layout.large_stem), in_channels_(layout.in_channels) {
  RESEDA_REQUIRE(layout.classes >= 1 && layout.classes <= 1000000, Errc::kUsage,
                 "network.classes must be 1 to 1000000, got ", layout.classes);
  RESEDA_REQUIRE(in_channels_ >= 1 && in_channels_ <= 64, Errc::kUsage, "network.in_channels must be 1 to 64, got ",
                 in_channels_);
  const nn::ConvOptions stem =
      large_stem_ ? nn::ConvOptions{.kernel = 7, .stride = 2, .padding = 3} : nn::ConvOptions{};
  conv1_ = register_module("conv1", nn::resnet_conv(in_channels_, layout.stem_width, stem));
  bn1_ = register_module("bn1", std::make_shared<nn::BatchNorm>(layout.stem_width));
  std::int64_t in = layout.stem_width, width = layout.stem_width;
  for (std::size_t i = 0; i < layout.blocks.size(); ++i) {
    auto stage = std::make_shared<nn::ResnetStage>(layout.block, in, width, layout.blocks[i], i == 0 ? 1 : 2);
    stages_.push_back(register_module("layer" + std::to_string(i + 1), std::move(stage)));
    in = nn::ResnetBlock::channels(layout.block, width);
    width *= 2;
  }
  fc_ = register_module("fc", std::make_shared<nn::PlainLinear>(in, layout.classes));
  eval();
}

at::Tensor Resnet::forward(const at::Tensor& x, const at::Tensor& /*y*/, const at::Tensor& /*t*/) {
  RESEDA_REQUIRE(x.dim() == 4 && x.size(1) == in_channels_, Errc::kUsage, "network: images must be [B,", in_channels_,
                 ",H,W], got ", x.sizes());
  at::Tensor h = at::relu(bn1_->forward(conv1_->forward(x.to(compute_type()))));
  if (large_stem_) h = at::max_pool2d(h, 3, 2, 1);
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    h = stages_[i]->forward(h);
    if (probe_) probe_("layer" + std::to_string(i + 1), h);
  }
  h = h.to(at::kFloat).mean({2, 3});
  if (probe_) probe_("avgpool", h.unsqueeze(-1).unsqueeze(-1));
  return fc_->forward(h);
}

}  // namespace reseda::nets
