#include "modules/nn/swin_layer.hpp"

#include <ATen/ATen.h>
#include <torch/nn/modules/container/modulelist.h>

#include <algorithm>
#include <utility>

#include "modules/core/error.hpp"

namespace reseda::nn {
namespace {

constexpr double kMasked = -100;

/// Rows or columns of windows that have one mask.
struct Stretch {
  std::int64_t start, count;
  bool last;
};

std::vector<Stretch> all_of(std::int64_t count) { return {{0, count, false}}; }

std::vector<Stretch> last_apart(std::int64_t count) {
  if (count == 1) return {{0, 1, true}};
  return {{0, count - 1, false}, {count - 1, 1, true}};
}

at::Tensor gelu_consumed(at::Tensor x) { return at::GradMode::is_enabled() ? at::gelu(x) : at::gelu_(x); }

}  // namespace

WindowAttention::WindowAttention(std::int64_t channels, const WindowOptions& options) : options_(options) {
  RESEDA_REQUIRE(options.heads >= 1 && channels % options.heads == 0, Errc::kUsage, "attention over ", channels,
                 " channels cannot have ", options.heads, " heads");
  const std::int64_t offsets = 2 * options.side - 1;
  bias_table_ = register_parameter("relative_position_bias_table",
                                   at::empty({offsets * offsets, options.heads}, at::kFloat).normal_(0, 0.02));
  if (!options.external_qkv) qkv_ = register_module("qkv", std::make_shared<PlainLinear>(channels, 3 * channels));
  proj_ = register_module("proj", std::make_shared<PlainLinear>(channels, channels));
}

at::Tensor WindowAttention::bias_of(WindowPlace place) const {
  const std::int64_t pixels = options_.side * options_.side;
  const at::Tensor offsets = relative_positions(options_.side, bias_table_.device()).flatten();
  const at::Tensor bias = bias_table_.index_select(0, offsets).view({pixels, pixels, -1}).permute({2, 0, 1});
  if (options_.shift == 0) return bias.contiguous();
  const at::Tensor allowed = allowed_pairs(options_.mask, options_.side, options_.shift, place, bias.device());
  return bias + allowed.logical_not().to(at::kFloat) * kMasked;
}

at::Tensor WindowAttention::attend(const at::Tensor& qkv, const at::Tensor& bias) const {
  const at::Tensor parts = qkv.unflatten(-1, {3, options_.heads, -1}).to(at::kFloat);
  // [3, windows, heads, pixels, width]
  const at::Tensor by_head = parts.permute({4, 0, 1, 2, 5, 3, 6}).flatten(1, 3);
  const at::Tensor mixed =
      at::scaled_dot_product_attention(by_head[0], by_head[1], by_head[2], bias.unsqueeze(0)).transpose(1, 2);
  return mixed.flatten(2).view({qkv.size(0), qkv.size(1), qkv.size(2), qkv.size(3), -1});
}

at::Tensor WindowAttention::forward(const at::Tensor& windows) const {
  const at::Tensor qkv = qkv_ != nullptr ? qkv_->forward(windows) : windows;
  const std::int64_t rows = windows.size(1), columns = windows.size(2);
  const bool by_row = options_.shift > 0, by_column = by_row && options_.mask == WindowMask::kSwin;
  std::vector<at::Tensor> bands;
  for (const Stretch& row : by_row ? last_apart(rows) : all_of(rows)) {
    std::vector<at::Tensor> parts;
    for (const Stretch& column : by_column ? last_apart(columns) : all_of(columns))
      parts.push_back(attend(qkv.narrow(1, row.start, row.count).narrow(2, column.start, column.count),
                             bias_of({.last_row = row.last, .last_column = column.last})));
    bands.push_back(parts.size() == 1 ? parts[0] : at::cat(parts, 2));
  }
  const at::Tensor mixed = bands.size() == 1 ? bands[0] : at::cat(bands, 1);
  return proj_->forward(mixed.to(windows.scalar_type()));
}

SwinBlock::SwinBlock(std::int64_t channels, double mlp_ratio, const WindowOptions& options) : options_(options) {
  const auto inside = static_cast<std::int64_t>(static_cast<double>(channels) * mlp_ratio);
  norm1_ = register_module("norm1", adm_norm(channels));
  attn_ = register_module("attn", std::make_shared<WindowAttention>(channels, options));
  norm2_ = register_module("norm2", adm_norm(channels));
  const auto mlp = register_module("mlp", std::make_shared<torch::nn::Module>("Mlp"));
  fc1_ = mlp->register_module("fc1", std::make_shared<PlainConv2d>(channels, inside, kPointwise));
  fc2_ = mlp->register_module("fc2", std::make_shared<PlainConv2d>(inside, channels, kPointwise));
}

at::Tensor SwinBlock::forward(const at::Tensor& x, const Probe& probe) const {
  const std::int64_t shift = options_.shift;
  at::Tensor h = norm1_->forward(x);
  if (shift > 0) h = at::roll(h, {-shift, -shift}, {2, 3});
  h = to_windows(h, options_.side);
  if (probe) probe("windows", h);
  h = attn_->forward(h);
  if (probe) probe("attn", h);
  h = from_windows(h, options_.side);
  if (shift > 0) h = at::roll(h, {shift, shift}, {2, 3});
  const at::Tensor attended = sum_consumed(x, std::move(h));
  const at::Tensor inside = gelu_consumed(fc1_->of_tokens(to_tokens(norm2_->forward(attended))));
  return sum_consumed(attended, from_tokens(fc2_->of_tokens(inside), x.size(2), x.size(3)));
}

std::int64_t SwinLayer::side(std::int64_t window, std::int64_t nominal) { return std::min(window, nominal); }

SwinLayer::SwinLayer(std::int64_t channels, const SwinLayerOptions& options) {
  const auto outer = [&](const char* name, std::int64_t in, std::int64_t out, auto& convolution, auto& norm) {
    const auto holder = register_module(name, std::make_shared<torch::nn::Module>(name));
    convolution = holder->register_module("proj", std::make_shared<PlainConv2d>(in, out, kPointwise));
    if (options.patch_norm) norm = holder->register_module("norm", adm_norm(out));
  };
  outer("patch_embed", channels, options.channels, embed_, embed_norm_);
  outer("patch_unembed", options.channels, channels, unembed_, unembed_norm_);
  const auto list = register_module("blocks", torch::nn::ModuleList());
  for (std::int64_t i = 0; i < options.depth; ++i) {
    const bool moved = i % 2 == 1 && options.nominal > options.window;
    blocks_.push_back(std::make_shared<SwinBlock>(options.channels, options.mlp_ratio,
                                                  WindowOptions{.heads = options.heads,
                                                                .side = side(options.window, options.nominal),
                                                                .shift = moved ? options.window / 2 : 0,
                                                                .mask = options.mask}));
    list->push_back(blocks_.back());
  }
}

at::Tensor SwinLayer::forward(const at::Tensor& x, const at::Tensor& /*silu_temb*/) const {
  at::Tensor h = embed_->forward(x);
  if (embed_norm_) h = embed_norm_->forward(h);
  for (const auto& block : blocks_) h = block->forward(h);
  h = unembed_->forward(h);
  return unembed_norm_ ? unembed_norm_->forward(h) : h;
}

}  // namespace reseda::nn
