#include "modules/nets/rrcm_vit.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/nn/modules/container/modulelist.h>

#include <cmath>
#include <string>

#include "modules/core/error.hpp"
#include "modules/nets/image_input.hpp"
#include "modules/nn/init.hpp"
#include "modules/nn/pixel_attention.hpp"
#include "modules/nn/sinusoidal_embedding.hpp"

namespace reseda::nets {
namespace {

std::shared_ptr<torch::nn::Module> child(torch::nn::Module& parent, const std::string& name) {
  return parent.register_module(name, std::make_shared<torch::nn::Module>(name));
}

/// A linear layer without bias, uniform within 1/sqrt(in).
at::Tensor matrix(torch::nn::Module& parent, const std::string& name, std::int64_t in, std::int64_t out) {
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  return child(parent, name)->register_parameter("weight", at::empty({out, in}, at::kFloat).uniform_(-bound, bound));
}

std::shared_ptr<nn::PlainLinear> glorot_linear(torch::nn::Module& parent, const std::string& name, std::int64_t in,
                                               std::int64_t out) {
  auto layer = std::make_shared<nn::PlainLinear>(in, out);
  const at::NoGradGuard no_grad;
  layer->weight.copy_(nn::fan_average_uniform({out, in}));
  layer->bias.zero_();
  return parent.register_module(name, layer);
}

}  // namespace

void RrcmVitConfig::validate() const {
  const auto require = [](bool holds, const char* key, const char* rule, auto value) {
    RESEDA_REQUIRE(holds, Errc::kUsage, "network.", key, " must be ", rule, ", got ", value);
  };
  require(patch_size >= 1 && patch_size <= 256, "patch_size", "1 to 256", patch_size);
  require(image_size >= patch_size && image_size <= 4096 && image_size % patch_size == 0, "image_size",
          "a multiple of network.patch_size up to 4096", image_size);
  require(in_channels >= 1 && in_channels <= 1024, "in_channels", "1 to 1024", in_channels);
  require(embed_dim >= 2 && embed_dim <= 8192, "embed_dim", "2 to 8192", embed_dim);
  require(num_heads >= 1 && embed_dim % num_heads == 0, "num_heads", "a divisor of network.embed_dim", num_heads);
  require(hidden_dim >= 1 && hidden_dim <= 65536, "hidden_dim", "1 to 65536", hidden_dim);
  require(output_dim >= 1 && output_dim <= 65536, "output_dim", "1 to 65536", output_dim);
  require(depth >= 1 && depth <= 256, "depth", "1 to 256", depth);
  require(mlp_ratio > 0 && mlp_ratio <= 64, "mlp_ratio", "in (0, 64]", mlp_ratio);
  require(classes >= 0 && classes <= 1000000, "classes", "0 to 1000000", classes);
}

RrcmBlock::RrcmBlock(const RrcmVitConfig& config) : heads_(config.num_heads) {
  const std::int64_t size = config.embed_dim;
  const auto hidden = static_cast<std::int64_t>(static_cast<double>(size) * config.mlp_ratio);
  norm1_ = register_module("norm1", std::make_shared<nn::PlainLayerNorm>(size));
  const auto attn = child(*this, "attn");
  const auto qkv = child(*attn, "qkv");
  // Each of the three is a square matrix to itself.
  const double bound = std::sqrt(3 / static_cast<double>(size));
  qkv_weight_ = qkv->register_parameter("weight", at::empty({3 * size, size}, at::kFloat).uniform_(-bound, bound));
  if (config.qkv_bias) qkv_bias_ = qkv->register_parameter("bias", at::zeros({3 * size}));
  proj_ = glorot_linear(*attn, "proj", size, size);
  norm2_ = register_module("norm2", std::make_shared<nn::PlainLayerNorm>(size));
  const auto mlp = child(*this, "mlp");
  fc1_ = glorot_linear(*mlp, "fc1", size, hidden);
  fc2_ = glorot_linear(*mlp, "fc2", hidden, size);
}

at::Tensor RrcmBlock::attend(const at::Tensor& x) const {
  const std::int64_t batch = x.size(0), count = x.size(1), size = x.size(2);
  const at::ScalarType type = x.scalar_type();
  const at::Tensor qkv = at::linear(x, qkv_weight_.to(type), qkv_bias_.defined() ? qkv_bias_.to(type) : qkv_bias_);
  const at::Tensor parts = qkv.view({batch, count, 3, heads_, size / heads_}).permute({2, 0, 3, 1, 4});
  const at::Tensor mixed = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  return proj_->forward(mixed.transpose(1, 2).reshape({batch, count, size}));
}

at::Tensor RrcmBlock::forward(at::Tensor x, const nn::Probe& probe) const {
  const at::Tensor attended = attend(norm1_->forward(x));
  if (probe) probe("attn", attended);
  x = x + attended;
  const at::Tensor fed = fc2_->forward(at::gelu(fc1_->forward(norm2_->forward(x))));
  if (probe) probe("mlp", fed);
  return x + fed;
}

RrcmVit::RrcmVit(const RrcmVitConfig& config) : config_(config) {
  config_.validate();
  const std::int64_t size = config_.embed_dim, patch = config_.patch_size, side = config_.image_size / patch;
  const auto wrapped = config_.classes > 0 ? child(*this, "base_model") : nullptr;
  torch::nn::Module& encoder = wrapped ? *wrapped : *this;
  const at::NoGradGuard no_grad;
  cls_token_ = encoder.register_parameter("cls_token", at::empty({1, 1, size}, at::kFloat).normal_(0, 1e-6));
  const at::Tensor places = at::empty({1, 2 + side * side, size}, at::kFloat).normal_(0, 0.02);
  pos_embed_ = encoder.register_parameter("pos_embed", places);
  const nn::ConvOptions split = {.kernel = patch, .stride = patch, .padding = 0};
  patches_ = child(encoder, "patch_embed")
                 ->register_module("proj", std::make_shared<nn::PlainConv2d>(config_.in_channels, size, split));
  const auto fan = static_cast<double>(config_.in_channels * patch * patch + size);
  patches_->weight.uniform_(-std::sqrt(6 / fan), std::sqrt(6 / fan));
  patches_->bias.zero_();
  const auto list = encoder.register_module("blocks", torch::nn::ModuleList());
  for (std::int64_t i = 0; i < config_.depth; ++i) {
    blocks_.push_back(std::make_shared<RrcmBlock>(config_));
    list->push_back(blocks_.back());
  }
  norm_ = encoder.register_module("norm", std::make_shared<nn::PlainLayerNorm>(size));
  build_projector(encoder);
  if (config_.classes > 0) {
    head_ = register_module("linear_head", std::make_shared<nn::PlainLinear>(size, config_.classes));
    head_->weight.normal_(0, 2e-5);
    head_->bias.zero_();
  }
  eval();
}

void RrcmVit::build_projector(torch::nn::Module& encoder) {
  const auto list = child(encoder, "projection_head");
  const std::int64_t widths[] = {config_.embed_dim, config_.hidden_dim, config_.hidden_dim, config_.output_dim};
  for (int i = 0; i < 3; ++i) {
    projections_.push_back(matrix(*list, std::to_string(3 * i), widths[i], widths[i + 1]));
    if (i < 2)
      projector_norms_.push_back(
          list->register_module(std::to_string(3 * i + 1), std::make_shared<nn::BatchNorm>(widths[i + 1])));
  }
}

at::Tensor RrcmVit::seen(const std::string& name, at::Tensor value) const {
  if (probe_) probe_(name, value);
  return value;
}

at::Tensor RrcmVit::tokens(const at::Tensor& x, const at::Tensor& t) const {
  RESEDA_REQUIRE(x.dim() == 4 && x.size(1) == config_.in_channels, Errc::kUsage, "network.in_channels is ",
                 config_.in_channels, ", but the images have ", x.dim() == 4 ? x.size(1) : 0);
  RESEDA_REQUIRE(x.size(2) == config_.image_size && x.size(3) == config_.image_size, Errc::kUsage,
                 "network.image_size is ", config_.image_size, ", but the image has ", x.size(2), " x ", x.size(3));
  require_times(t, x);
  const at::ScalarType type = compute_type();
  const std::int64_t batch = x.size(0);
  const at::Tensor patches = seen("patch_embed", nn::to_tokens(patches_->forward(x.to(type))));
  const at::Tensor time = seen("time_embed", nn::cosine_first_embedding(t, config_.embed_dim));
  const at::Tensor all = at::cat({cls_token_.to(type).expand({batch, 1, -1}), time.to(type).unsqueeze(1), patches}, 1);
  return seen("tokens", all + pos_embed_.to(type));
}

RrcmFeatures RrcmVit::features(const at::Tensor& x, const at::Tensor& t) const {
  at::Tensor h = tokens(x, t);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const std::string name = "blocks." + std::to_string(i);
    h = seen(name, blocks_[i]->forward(h, nn::under(probe_, name)));
  }
  const at::Tensor token = h.select(1, 0).to(at::kFloat);
  return {token, norm_->forward(token)};
}

at::Tensor RrcmVit::project(const at::Tensor& representation) const {
  at::Tensor h = at::linear(representation, projections_[0]);
  for (std::size_t i = 0; i < projector_norms_.size(); ++i)
    h = at::linear(at::relu(projector_norms_[i]->forward(h)), projections_[i + 1]);
  return h;
}

at::Tensor RrcmVit::classify(const RrcmFeatures& of) const {
  RESEDA_REQUIRE(head_ != nullptr, Errc::kUsage, "network.classes is 0: the encoder alone does not classify");
  return head_->forward(config_.layernorm ? of.representation : of.token);
}

at::Tensor RrcmVit::forward(const at::Tensor& x, const at::Tensor& /*y*/, const at::Tensor& t) {
  const RrcmFeatures of = features(x, t);
  return head_ ? classify(of) : project(of.representation);
}

const NetworkEntry& network_entry_rrcm_vit() {
  static const NetworkEntry entry = make_component<Network, RrcmVit, RrcmVitConfig>(
      "rrcm_vit", "transformer of rRCM: noisy images to representations, or to classes");
  return entry;
}

}  // namespace reseda::nets
