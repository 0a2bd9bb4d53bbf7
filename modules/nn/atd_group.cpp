#include "modules/nn/atd_group.hpp"

#include <ATen/ATen.h>
#include <torch/nn/modules/container/modulelist.h>

#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "modules/nn/pixel_attention.hpp"
#include "modules/nn/swin_window.hpp"

namespace reseda::nn {
namespace {

constexpr double kSmallestNorm = 1e-12;

at::Tensor as_map(const at::Tensor& tokens, std::int64_t height) {
  return from_tokens(tokens, height, tokens.size(1) / height);
}

}  // namespace

ConvFeedForward::ConvFeedForward(std::int64_t channels, std::int64_t inside, std::int64_t kernel) {
  fc1_ = register_module("fc1", std::make_shared<PlainLinear>(channels, inside));
  depthwise_ = std::make_shared<PlainConv2d>(
      inside, inside, ConvOptions{.kernel = kernel, .padding = (kernel - 1) / 2, .groups = inside});
  register_module("dwconv", std::make_shared<torch::nn::Module>("DepthwiseConv"))
      ->register_module("depthwise_conv", std::make_shared<torch::nn::Module>("Sequential"))
      ->register_module("0", depthwise_);
  fc2_ = register_module("fc2", std::make_shared<PlainLinear>(inside, channels));
}

at::Tensor ConvFeedForward::forward(const at::Tensor& x, std::int64_t height) const {
  const at::Tensor h = at::gelu(fc1_->forward(x));
  return fc2_->forward(h + to_tokens(at::gelu(depthwise_->forward(as_map(h, height)))));
}

AtdLayer::AtdLayer(const AtdOptions& options, std::int64_t index)
    : window_(options.window), shift_(index % 2 == 0 ? 0 : options.window / 2) {
  const std::int64_t size = options.channels;
  norm1_ = register_module("norm1", std::make_shared<PlainLayerNorm>(size));
  norm2_ = register_module("norm2", std::make_shared<PlainLayerNorm>(size));
  if (index + 1 < options.depth) {
    norm3_ = register_module("norm3", std::make_shared<PlainGroupNorm>(options.tokens, options.tokens, 1e-5));
    sigma_ = register_parameter("sigma", at::zeros({options.tokens, 1}));
  }
  wqkv_ = register_module("wqkv", std::make_shared<PlainLinear>(size, 3 * size));
  windows_ =
      register_module("attn_win", std::make_shared<WindowAttention>(size, WindowOptions{.heads = options.heads,
                                                                                        .side = options.window,
                                                                                        .shift = shift_,
                                                                                        .mask = WindowMask::kSwin,
                                                                                        .external_qkv = true}));
  dictionary_ =
      register_module("attn_atd", std::make_shared<TokenDictionaryAttention>(size, options.tokens, options.reduced));
  categories_ =
      register_module("attn_aca", std::make_shared<CategoryAttention>(size, options.heads, options.category_size));
  const auto inside = static_cast<std::int64_t>(static_cast<double>(size) * options.mlp_ratio);
  feed_forward_ = register_module("convffn", std::make_shared<ConvFeedForward>(size, inside, options.kernel));
}

at::Tensor AtdLayer::attend_windows(const at::Tensor& qkv, std::int64_t height) const {
  const at::Tensor map = as_map(qkv, height);
  const at::Tensor moved = shift_ > 0 ? at::roll(map, {-shift_, -shift_}, {2, 3}) : map;
  const at::Tensor mixed = from_windows(windows_->forward(to_windows(moved, window_)), window_);
  return to_tokens(shift_ > 0 ? at::roll(mixed, {shift_, shift_}, {2, 3}) : mixed);
}

at::Tensor AtdLayer::forward(at::Tensor x, std::int64_t height, at::Tensor& dictionary, const Probe& probe) const {
  const at::Tensor seen = norm1_->forward(x), qkv = wqkv_->forward(seen);
  const auto [by_token, similarity] = dictionary_->forward(seen, dictionary);
  const at::Tensor by_category = categories_->forward(qkv, similarity.argmax(-1));
  if (probe) {
    probe("attn_atd", by_token);
    probe("attn_atd.similarity", similarity);
    probe("attn_aca", by_category);
  }
  x = x + (attend_windows(qkv, height) + by_token + by_category) / std::numbers::sqrt3;
  x = x + feed_forward_->forward(norm2_->forward(x), height);
  if (norm3_ != nullptr) {
    const at::Tensor share = sigma_.sigmoid(), mean = norm3_->forward(similarity.transpose(1, 2)).softmax(-1);
    dictionary = share * dictionary + (1 - share) * at::matmul(mean, x);
  }
  return x;
}

AtdGroup::AtdGroup(const AtdOptions& options) {
  const auto group = register_module("residual_group", std::make_shared<torch::nn::Module>("BasicBlock"));
  dictionary_ = group->register_parameter("td", at::randn({options.tokens, options.channels}));
  const auto list = group->register_module("layers", torch::nn::ModuleList());
  for (std::int64_t i = 0; i < options.depth; ++i) {
    layers_.push_back(std::make_shared<AtdLayer>(options, i));
    list->push_back(layers_.back());
  }
  conv_ = register_module("conv", std::make_shared<PlainConv2d>(options.channels, options.channels));
  norm_ = std::make_shared<PlainLayerNorm>(options.channels);
  register_module("patch_embed", std::make_shared<torch::nn::Module>("PatchEmbed"))->register_module("norm", norm_);
}

at::Tensor AtdGroup::forward(const at::Tensor& x, std::int64_t height, const Probe& probe) const {
  at::Tensor h = x, dictionary = dictionary_.expand({x.size(0), -1, -1});
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::string name = "residual_group.layers." + std::to_string(i);
    dictionary = dictionary / dictionary.norm(2, -1, true).clamp_min(kSmallestNorm);
    h = layers_[i]->forward(h, height, dictionary, under(probe, name));
    if (probe) probe(name, h);
  }
  return x + norm_->forward(to_tokens(conv_->forward(as_map(h, height))));
}

}  // namespace reseda::nn
