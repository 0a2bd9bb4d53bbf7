#include "modules/nets/swin_trunk.hpp"

#include <ATen/ATen.h>
#include <torch/nn/modules/container/modulelist.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "modules/core/error.hpp"
#include "modules/nets/image_input.hpp"
#include "modules/nn/pixel_attention.hpp"
#include "modules/nn/sinusoidal_embedding.hpp"

namespace reseda::nets {
namespace {

constexpr std::int64_t kFirstFeatures = 16;

nn::WithConv with_conv(bool yes) { return yes ? nn::WithConv::kYes : nn::WithConv::kNo; }

void require_between(const char* key, std::int64_t value, std::int64_t least, std::int64_t most) {
  RESEDA_REQUIRE(value >= least && value <= most, Errc::kUsage, "network.", key, " must be ", least, " to ", most,
                 ", got ", value);
}

at::Tensor seen(const nn::Probe& probe, const std::string& name, at::Tensor value) {
  if (probe) probe(name, value);
  return value;
}

}  // namespace

void SwinConfig::validate() const {
  RESEDA_REQUIRE(levels() >= 1 && levels() <= 10, Errc::kUsage, "network.channel_mult must have 1 to 10 levels, got ",
                 levels());
  RESEDA_REQUIRE(num_res_blocks.size() == levels(), Errc::kUsage, "network.num_res_blocks must have ", levels(),
                 " numbers as network.channel_mult has, got ", num_res_blocks.size());
  for (const std::int64_t count : num_res_blocks) require_between("num_res_blocks", count, 1, 64);
  RESEDA_REQUIRE(nominal(levels() - 1) >= 2 && image_size <= 1 << 16, Errc::kUsage,
                 "network.image_size must be at least ", std::int64_t{2} << (levels() - 1), " for ", levels(),
                 " levels, got ", image_size);
  require_between("in_channels", in_channels, 1, 1024);
  require_between("out_channels", out_channels, 1, 1024);
  require_between("model_channels", model_channels, 32, 4096);
  for (std::size_t level = 0; level < levels(); ++level)
    RESEDA_REQUIRE(channel_mult[level] > 0 && channel_mult[level] <= 64 && width(level) >= 32 && width(level) <= 8192 &&
                       width(level) % 32 == 0,
                   Errc::kUsage, "network.channel_mult must make multiples of 32 up to 8192 of ", model_channels,
                   " channels, got ", channel_mult[level]);
  RESEDA_REQUIRE(dropout >= 0 && dropout < 1, Errc::kUsage, "network.dropout must be in [0, 1), got ", dropout);
  require_between("swin_depth", swin_depth, 1, 64);
  RESEDA_REQUIRE(swin_embed_dim >= 32 && swin_embed_dim <= 4096 && swin_embed_dim % 32 == 0, Errc::kUsage,
                 "network.swin_embed_dim must be a multiple of 32 up to 4096, got ", swin_embed_dim);
  RESEDA_REQUIRE(num_head_channels >= 1 && swin_embed_dim % num_head_channels == 0, Errc::kUsage,
                 "network.num_head_channels must divide the ", swin_embed_dim, " of swin_embed_dim, got ",
                 num_head_channels);
  require_between("window_size", window_size, 2, 64);
  RESEDA_REQUIRE(mlp_ratio > 0 && mlp_ratio <= 64 && mlp_ratio * static_cast<double>(swin_embed_dim) >= 1, Errc::kUsage,
                 "network.mlp_ratio must be positive and at most 64, got ", mlp_ratio);
  require_between("lq_channels", lq_channels, 1, 1024);
  RESEDA_REQUIRE(!cond_lq || (lq_halvings() <= 8 && image_size << lq_halvings() == lq_size), Errc::kUsage,
                 "network.lq_size must be image_size (", image_size, ") times a power of two up to 256, got ", lq_size);
  RESEDA_REQUIRE(window_mask == "resshift" || window_mask == "swin", Errc::kUsage,
                 "network.window_mask must be resshift or swin, got '", window_mask, "'");
}

std::int64_t SwinConfig::width(std::size_t level) const {
  return static_cast<std::int64_t>(channel_mult[level] * static_cast<double>(model_channels));
}

bool SwinConfig::attends(std::size_t level) const {
  return std::find(attention_resolutions.begin(), attention_resolutions.end(), nominal(level)) !=
         attention_resolutions.end();
}

std::int64_t SwinConfig::lq_halvings() const {
  std::int64_t halvings = 0;
  while (halvings < 16 && image_size << halvings < lq_size) ++halvings;
  return halvings;
}

std::int64_t SwinConfig::multiple() const {
  const std::size_t deepest = levels() - 1;
  std::int64_t multiple = nn::SwinLayer::side(window_size, nominal(deepest)) << deepest;  // the middle attends
  for (std::size_t level = 0; level < deepest; ++level)
    if (attends(level)) multiple = std::lcm(multiple, nn::SwinLayer::side(window_size, nominal(level)) << level);
  return multiple;
}

LqFeatures::LqFeatures(std::int64_t channels, std::int64_t halvings) : channels_(channels) {
  for (std::int64_t i = 0; i < halvings; ++i) {
    const std::int64_t width = kFirstFeatures << i;
    convolutions_.push_back(
        register_module(std::to_string(3 * i), std::make_shared<nn::PlainConv2d>(channels_, width)));
    halvings_.push_back(
        register_module(std::to_string(3 * i + 2), std::make_shared<nn::AdmDownsample>(width, 2 * width)));
    channels_ = 2 * width;
  }
}

at::Tensor LqFeatures::forward(at::Tensor y) const {
  for (std::size_t i = 0; i < convolutions_.size(); ++i)
    y = halvings_[i]->forward(nn::silu_consumed(convolutions_[i]->forward(y)), {});
  return y;
}

SwinTrunk::SwinTrunk(const SwinConfig& config, std::int64_t lq_channels)
    : config_(config), lq_channels_(config.cond_lq ? lq_channels : 0) {
  const std::int64_t width = 4 * config_.model_channels;
  const auto embedding = register_module("time_embed", std::make_shared<torch::nn::Module>("Sequential"));
  embed0_ = embedding->register_module("0", std::make_shared<nn::PlainLinear>(config_.model_channels, width));
  embed1_ = embedding->register_module("2", std::make_shared<nn::PlainLinear>(width, width));
  std::int64_t beside = lq_channels_;
  if (lq_channels_ > 0 && config_.lq_halvings() > 0) {
    features_ = register_module("feature_extractor", std::make_shared<LqFeatures>(lq_channels_, config_.lq_halvings()));
    beside = features_->channels();
  }
  first_ = std::make_shared<nn::PlainConv2d>(config_.in_channels + beside, config_.width(0));
  std::vector<std::int64_t> skips = {config_.width(0)};
  build_down(skips);
  const std::int64_t deep = skips.back();
  middle_ = register_module("middle_block", std::make_shared<AdmStage>(std::vector{
                                                block(deep, deep), swin(config_.levels() - 1), block(deep, deep)}));
  build_up(std::move(skips));
}

std::shared_ptr<nn::AdmLayer> SwinTrunk::block(std::int64_t in, std::int64_t out, nn::Resample resample) const {
  const auto modulation = config_.use_scale_shift_norm ? nn::Modulation::kScaleShift : nn::Modulation::kAdd;
  return std::make_shared<nn::AdmBlock>(in, out, 4 * config_.model_channels,
                                        nn::AdmBlockOptions{.modulation = modulation, .resample = resample});
}

std::shared_ptr<nn::AdmLayer> SwinTrunk::swin(std::size_t level) const {
  return std::make_shared<nn::SwinLayer>(
      config_.width(level),
      nn::SwinLayerOptions{.channels = config_.swin_embed_dim,
                           .heads = config_.swin_embed_dim / config_.num_head_channels,
                           .depth = config_.swin_depth,
                           .window = config_.window_size,
                           .mlp_ratio = config_.mlp_ratio,
                           .nominal = config_.nominal(level),
                           .patch_norm = config_.patch_norm,
                           .mask = config_.window_mask == "swin" ? nn::WindowMask::kSwin : nn::WindowMask::kResshift});
}

std::shared_ptr<nn::AdmLayer> SwinTrunk::halving(std::int64_t channels) const {
  if (config_.resblock_updown) return block(channels, channels, nn::Resample::kDown);
  return std::make_shared<nn::AdmDownsample>(channels, with_conv(config_.conv_resample));
}

std::shared_ptr<nn::AdmLayer> SwinTrunk::doubling(std::int64_t channels) const {
  if (config_.resblock_updown) return block(channels, channels, nn::Resample::kUp);
  return std::make_shared<nn::AdmUpsample>(channels, with_conv(config_.conv_resample));
}

void SwinTrunk::build_down(std::vector<std::int64_t>& skips) {
  const auto list = register_module("input_blocks", torch::nn::ModuleList());
  list->push_back(torch::nn::ModuleList(first_));
  const auto add = [&](std::vector<std::shared_ptr<nn::AdmLayer>> layers, std::int64_t width) {
    down_stages_.push_back(std::make_shared<AdmStage>(std::move(layers)));
    list->push_back(down_stages_.back());
    skips.push_back(width);
  };
  for (std::size_t level = 0; level < config_.levels(); ++level) {
    const std::int64_t width = config_.width(level);
    for (std::int64_t i = 0; i < config_.num_res_blocks[level]; ++i) {
      std::vector layers = {block(skips.back(), width)};
      if (i == 0 && config_.attends(level)) layers.push_back(swin(level));
      add(std::move(layers), width);
    }
    if (level + 1 < config_.levels()) add({halving(width)}, width);
  }
}

void SwinTrunk::build_up(std::vector<std::int64_t> skips) {
  const auto list = register_module("output_blocks", torch::nn::ModuleList());
  std::int64_t below = skips.back();
  for (std::size_t level = config_.levels(); level-- > 0;) {
    const std::int64_t width = config_.width(level);
    for (std::int64_t i = 0; i <= config_.num_res_blocks[level]; ++i) {
      std::vector layers = {block(below + skips.back(), width)};
      skips.pop_back();
      below = width;
      if (i == 0 && config_.attends(level)) layers.push_back(swin(level));
      if (level > 0 && i == config_.num_res_blocks[level]) layers.push_back(doubling(width));
      up_stages_.push_back(std::make_shared<AdmStage>(std::move(layers)));
      list->push_back(up_stages_.back());
    }
  }
  RESEDA_INVARIANT(skips.empty());
}

at::Tensor SwinTrunk::joined(const at::Tensor& x, const at::Tensor& y, at::ScalarType type,
                             const nn::Probe& probe) const {
  const ImageInput state = {.state_channels = config_.in_channels, .multiple = config_.multiple()};
  const at::Tensor alone = image_input(state, x, {});
  if (lq_channels_ == 0) return in_fast_layout(alone.to(type));
  const std::int64_t given = y.defined() && y.dim() == 4 ? y.size(1) : 0;
  RESEDA_REQUIRE(given == lq_channels_, Errc::kUsage, "network: the image in low resolution must have ", lq_channels_,
                 " channels (network.lq_channels and a mask), got ", given);
  const std::int64_t factor = features_ ? std::int64_t{1} << config_.lq_halvings() : 1;
  RESEDA_REQUIRE(y.size(0) == x.size(0) && y.size(2) == factor * x.size(2) && y.size(3) == factor * x.size(3),
                 Errc::kInternal, "network: the image in low resolution must have the batch of the state and ", factor,
                 " times its height and width (network.lq_size / network.image_size)");
  at::Tensor beside = in_fast_layout(y.to(type));
  if (features_) beside = seen(probe, "feature_extractor", features_->forward(std::move(beside)));
  return in_fast_layout(at::cat({alone.to(type), beside}, 1));
}

at::Tensor SwinTrunk::embed(const at::Tensor& t, const nn::Probe& probe) const {
  const at::Tensor features = nn::cosine_first_embedding(t, config_.model_channels);
  // Every residual block takes silu of the embedding: once is enough.
  return at::silu(seen(probe, "time_embed", embed1_->forward(at::silu(embed0_->forward(features)))));
}

at::Tensor SwinTrunk::forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t, at::ScalarType type,
                              const nn::Probe& probe) const {
  const at::Tensor input = joined(x, y, type, probe);
  require_times(t, x);
  const at::Tensor temb = embed(t, probe);
  const auto run = [&](const std::string& name, const AdmStage& stage, const at::Tensor& map) {
    return seen(probe, name, stage.forward(map, temb, nn::under(probe, name)));
  };
  std::vector<at::Tensor> skips = {seen(probe, "input_blocks.0", first_->forward(input))};
  for (std::size_t i = 0; i < down_stages_.size(); ++i)
    skips.push_back(run("input_blocks." + std::to_string(i + 1), *down_stages_[i], skips.back()));
  at::Tensor h = run("middle_block", *middle_, skips.back());
  for (std::size_t i = 0; i < up_stages_.size(); ++i) {
    const at::Tensor both = at::cat({h, skips.back()}, 1);
    skips.pop_back();
    h = run("output_blocks." + std::to_string(i), *up_stages_[i], both);
  }
  return h;
}

}  // namespace reseda::nets
