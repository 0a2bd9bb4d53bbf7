#include "modules/nets/resfusion_dit.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/nn/modules/container/modulelist.h>

#include <cmath>

#include "modules/core/error.hpp"
#include "modules/nets/image_input.hpp"
#include "modules/nn/init.hpp"
#include "modules/nn/pixel_attention.hpp"
#include "modules/nn/sinusoidal_embedding.hpp"

namespace reseda::nets {
namespace {

constexpr std::int64_t kTimeFeatures = 256;

std::shared_ptr<nn::PlainLinear> linear(std::int64_t in, std::int64_t out) {
  auto layer = std::make_shared<nn::PlainLinear>(in, out);
  const at::NoGradGuard no_grad;
  layer->weight.copy_(nn::fan_average_uniform({out, in}));
  layer->bias.zero_();
  return layer;
}

std::shared_ptr<nn::PlainLinear> zero_linear(std::int64_t in, std::int64_t out) {
  auto layer = std::make_shared<nn::PlainLinear>(in, out);
  const at::NoGradGuard no_grad;
  layer->weight.zero_();
  layer->bias.zero_();
  return layer;
}

/// A container whose only numbered child with parameters is this one.
std::shared_ptr<torch::nn::Module> after_silu(const std::shared_ptr<nn::PlainLinear>& layer) {
  auto sequence = std::make_shared<torch::nn::Module>("Sequential");
  sequence->register_module("1", layer);
  return sequence;
}

/// LN(x) (1 + scale) + shift
at::Tensor modulated(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale) {
  const at::Tensor normed = at::layer_norm(x, {x.size(-1)}, {}, {}, 1e-6);
  const at::ScalarType type = x.scalar_type();
  return normed * (scale + 1).to(type).unsqueeze(1) + shift.to(type).unsqueeze(1);
}

}  // namespace

void ResfusionDitConfig::validate() const {
  RESEDA_REQUIRE(patch_size >= 1 && patch_size <= 256, Errc::kUsage, "network.patch_size must be 1 to 256, got ",
                 patch_size);
  RESEDA_REQUIRE(input_size >= patch_size && input_size <= 4096 && input_size % patch_size == 0, Errc::kUsage,
                 "network.input_size must be a multiple of network.patch_size (", patch_size, ") up to 4096, got ",
                 input_size);
  RESEDA_REQUIRE(hidden_size >= 4 && hidden_size <= 8192 && hidden_size % 4 == 0, Errc::kUsage,
                 "network.hidden_size must be a multiple of 4 up to 8192, got ", hidden_size);
  RESEDA_REQUIRE(num_heads >= 1 && hidden_size % num_heads == 0, Errc::kUsage,
                 "network.num_heads must divide network.hidden_size (", hidden_size, "), got ", num_heads);
  RESEDA_REQUIRE(depth >= 1 && depth <= 256, Errc::kUsage, "network.depth must be 1 to 256, got ", depth);
  RESEDA_REQUIRE(mlp_ratio > 0 && mlp_ratio <= 64, Errc::kUsage, "network.mlp_ratio must be in (0, 64], got ",
                 mlp_ratio);
  RESEDA_REQUIRE(channels >= 1 && channels <= 1024, Errc::kUsage, "network.channels must be 1 to 1024, got ", channels);
  RESEDA_REQUIRE(condition_channels >= 0 && condition_channels <= 1024, Errc::kUsage,
                 "network.condition_channels must be 0 to 1024, got ", condition_channels);
}

at::Tensor grid_positions(std::int64_t size, std::int64_t side) {
  const at::Tensor steps = at::arange(size / 4, at::kDouble) / (static_cast<double>(size) / 4);
  const at::Tensor frequency = at::pow(10000.0, -steps);
  const at::Tensor phase = at::outer(at::arange(side, at::kDouble), frequency);
  const at::Tensor features = at::cat({phase.sin(), phase.cos()}, 1);  // [side, size / 2]
  const at::Tensor column = features.unsqueeze(0).expand({side, side, size / 2});
  const at::Tensor row = features.unsqueeze(1).expand({side, side, size / 2});
  return at::cat({column, row}, 2).view({1, side * side, size}).to(at::kFloat);
}

DitBlock::DitBlock(const ResfusionDitConfig& config) : heads_(config.num_heads) {
  const std::int64_t size = config.hidden_size;
  const auto hidden = static_cast<std::int64_t>(static_cast<double>(size) * config.mlp_ratio);
  const auto attn = register_module("attn", std::make_shared<torch::nn::Module>("Attention"));
  qkv_ = attn->register_module("qkv", linear(size, 3 * size));
  proj_ = attn->register_module("proj", linear(size, size));
  const auto mlp = register_module("mlp", std::make_shared<torch::nn::Module>("Mlp"));
  fc1_ = mlp->register_module("fc1", linear(size, hidden));
  fc2_ = mlp->register_module("fc2", linear(hidden, size));
  modulation_ = zero_linear(size, 6 * size);
  register_module("adaLN_modulation", after_silu(modulation_));
}

at::Tensor DitBlock::attend(const at::Tensor& x) const {
  const std::int64_t batch = x.size(0), count = x.size(1), size = x.size(2);
  const at::Tensor parts =
      qkv_->forward(x.to(at::kFloat)).view({batch, count, 3, heads_, size / heads_}).permute({2, 0, 3, 1, 4});
  const at::Tensor mixed = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  return proj_->forward(mixed.transpose(1, 2).reshape({batch, count, size}));
}

at::Tensor DitBlock::forward(at::Tensor x, const at::Tensor& silu_c, const nn::Probe& probe) const {
  const auto part = modulation_->forward(silu_c).chunk(6, 1);
  const at::ScalarType type = x.scalar_type();
  const auto gated = [type](const at::Tensor& gate, const at::Tensor& h) {
    return gate.to(type).unsqueeze(1) * h.to(type);
  };
  const at::Tensor attended = attend(modulated(x, part[0], part[1]));
  if (probe) probe("attn", attended);
  x = x + gated(part[2], attended);
  const at::Tensor fed = fc2_->forward(at::gelu(fc1_->forward(modulated(x, part[3], part[4])), "tanh"));
  if (probe) probe("mlp", fed);
  return x + gated(part[5], fed);
}

ResfusionDit::ResfusionDit(const ResfusionDitConfig& config) : config_(config) {
  config_.validate();
  const std::int64_t size = config_.hidden_size, patch = config_.patch_size;
  const std::int64_t in = config_.channels + config_.condition_channels;
  patches_ =
      std::make_shared<nn::PlainConv2d>(in, size, nn::ConvOptions{.kernel = patch, .stride = patch, .padding = 0});
  register_module("x_embedder", std::make_shared<torch::nn::Module>("PatchEmbed"))->register_module("proj", patches_);
  embed0_ = linear(kTimeFeatures, size);
  embed1_ = linear(size, size);
  const auto mlp = register_module("t_embedder", std::make_shared<torch::nn::Module>("TimestepEmbedder"))
                       ->register_module("mlp", std::make_shared<torch::nn::Module>("Sequential"));
  mlp->register_module("0", embed0_);
  mlp->register_module("2", embed1_);
  pos_embed_ = register_parameter("pos_embed", grid_positions(size, config_.input_size / patch),
                                  /*requires_grad=*/false);
  const auto list = register_module("blocks", torch::nn::ModuleList());
  for (std::int64_t i = 0; i < config_.depth; ++i) {
    blocks_.push_back(std::make_shared<DitBlock>(config_));
    list->push_back(blocks_.back());
  }
  const auto last = register_module("final_layer", std::make_shared<torch::nn::Module>("FinalLayer"));
  linear_ = last->register_module("linear", zero_linear(size, patch * patch * config_.channels));
  modulation_ = zero_linear(size, 2 * size);
  last->register_module("adaLN_modulation", after_silu(modulation_));

  const at::NoGradGuard no_grad;
  patches_->weight.copy_(nn::fan_average_uniform({size, in * patch * patch}).view({size, in, patch, patch}));
  patches_->bias.zero_();
  embed0_->weight.normal_(0, 0.02);
  embed1_->weight.normal_(0, 0.02);
}

at::Tensor ResfusionDit::seen(const std::string& name, at::Tensor value) const {
  if (probe_) probe_(name, value);
  return value;
}

at::Tensor ResfusionDit::embed(const at::Tensor& t) const {
  const at::Tensor hidden = embed0_->forward(nn::cosine_first_embedding(t, kTimeFeatures));
  // Every block takes silu of the embedding: once is enough.
  return at::silu(seen("t_embedder", embed1_->forward(at::silu(hidden))));
}

at::Tensor ResfusionDit::unpatched(const at::Tensor& tokens) const {
  const std::int64_t patch = config_.patch_size, side = config_.input_size / patch;
  return tokens.view({tokens.size(0), side, side, patch, patch, config_.channels})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({tokens.size(0), config_.channels, config_.input_size, config_.input_size});
}

at::Tensor ResfusionDit::head(const at::Tensor& tokens, const at::Tensor& silu_c) const {
  const auto part = modulation_->forward(silu_c).chunk(2, 1);
  return unpatched(
      seen("final_layer", linear_->forward(modulated(tokens.to(at::kFloat), part[0], part[1])).contiguous()));
}

at::Tensor ResfusionDit::forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) {
  const at::Tensor input = image_input({.state_channels = config_.channels,
                                        .condition_channels = config_.condition_channels,
                                        .multiple = config_.patch_size},
                                       x, y);
  require_times(t, x);
  RESEDA_REQUIRE(x.size(2) == config_.input_size && x.size(3) == config_.input_size, Errc::kUsage,
                 "network.input_size is ", config_.input_size, ", but the image has ", x.size(2), " x ", x.size(3));
  const at::Tensor silu_c = embed(t);
  const at::Tensor patches = patches_->forward(input.to(compute_type()));
  at::Tensor tokens = seen("x_embedder", nn::to_tokens(patches)) + pos_embed_.to(compute_type());
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const std::string name = "blocks." + std::to_string(i);
    tokens = seen(name, blocks_[i]->forward(tokens, silu_c, nn::under(probe_, name)));
  }
  return head(tokens, silu_c);
}

const NetworkEntry& network_entry_resfusion_dit() {
  static const NetworkEntry entry =
      make_component<Network, ResfusionDit, ResfusionDitConfig>("resfusion_dit", "transformer of Resfusion");
  return entry;
}

}  // namespace reseda::nets
