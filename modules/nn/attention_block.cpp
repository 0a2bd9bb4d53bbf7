#include "modules/nn/attention_block.hpp"

#include <ATen/ATen.h>

namespace reseda::nn {

AttentionBlock::AttentionBlock(std::int64_t channels) {
  norm_ = register_module("GroupNorm_0", std::make_shared<GroupNorm>(channels));
  query_ = register_module("NIN_0", std::make_shared<Nin>(channels, channels));
  key_ = register_module("NIN_1", std::make_shared<Nin>(channels, channels));
  value_ = register_module("NIN_2", std::make_shared<Nin>(channels, channels));
  out_ = register_module("NIN_3", std::make_shared<Nin>(channels, channels, /*init_scale=*/0.0));
}

at::Tensor AttentionBlock::forward(const at::Tensor& x) const {
  const std::int64_t batch = x.size(0), channels = x.size(1), height = x.size(2), width = x.size(3);
  const at::Tensor tokens =
      norm_->forward(x).permute({0, 2, 3, 1}).reshape({batch, 1, height * width, channels}).to(at::kFloat);
  // One product for the three projections; the key's bias shifts every score of a query alike and changes nothing.
  const at::Tensor projected =
      at::linear(tokens, at::cat({query_->W, key_->W, value_->W}, 1).t(), at::cat({query_->b, key_->b, value_->b}));
  const auto parts = projected.split(channels, -1);
  const at::Tensor mixed = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  const at::Tensor h = at::linear(mixed, out_->W.t(), out_->b).view({batch, height, width, channels});
  return scaled_sum(x, h.permute({0, 3, 1, 2}).to(x.scalar_type()));
}

}  // namespace reseda::nn
