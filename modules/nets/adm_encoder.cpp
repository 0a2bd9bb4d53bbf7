#include "modules/nets/adm_encoder.hpp"

#include <ATen/ATen.h>
#include <torch/nn/modules/container/modulelist.h>

#include <algorithm>
#include <cmath>

#include "modules/core/error.hpp"
#include "modules/nets/image_input.hpp"
#include "modules/nn/pixel_attention.hpp"
#include "modules/nn/sinusoidal_embedding.hpp"

namespace reseda::nets {

void AdmConfig::validate() const {
  RESEDA_REQUIRE(levels() >= 1 && levels() <= 10, Errc::kUsage, "network.channel_mult must have 1 to 10 levels, got ",
                 levels());
  RESEDA_REQUIRE(image_size >= multiple() && image_size <= 1 << 16, Errc::kUsage,
                 "network.image_size must be at least ", multiple(), " for ", levels(), " levels, got ", image_size);
  RESEDA_REQUIRE(in_channels >= 1 && in_channels <= 1024, Errc::kUsage, "network.in_channels must be 1 to 1024, got ",
                 in_channels);
  RESEDA_REQUIRE(out_channels >= 1 && out_channels <= 100000, Errc::kUsage,
                 "network.out_channels must be 1 to 100000, got ", out_channels);
  RESEDA_REQUIRE(model_channels >= 32 && model_channels <= 4096, Errc::kUsage,
                 "network.model_channels must be 32 to 4096, got ", model_channels);
  RESEDA_REQUIRE(num_res_blocks >= 1 && num_res_blocks <= 64, Errc::kUsage,
                 "network.num_res_blocks must be 1 to 64, got ", num_res_blocks);
  RESEDA_REQUIRE(dropout >= 0 && dropout < 1, Errc::kUsage, "network.dropout must be in [0, 1), got ", dropout);
  RESEDA_REQUIRE(torso == "f32" || torso == "f16", Errc::kUsage, "network.torso must be f32 or f16, got '", torso, "'");
  RESEDA_REQUIRE(num_head_channels == -1 || num_head_channels >= 1, Errc::kUsage,
                 "network.num_head_channels must be -1 or positive, got ", num_head_channels);
  RESEDA_REQUIRE(num_heads >= 1 && num_heads <= 4096, Errc::kUsage, "network.num_heads must be 1 to 4096, got ",
                 num_heads);
  for (std::size_t level = 0; level < levels(); ++level)
    RESEDA_REQUIRE(channel_mult[level] > 0 && channel_mult[level] <= 64 && width(level) <= 8192 && width(level) >= 32 &&
                       width(level) % 32 == 0,
                   Errc::kUsage, "network.channel_mult must make multiples of 32 up to 8192 of ", model_channels,
                   " channels, got ", channel_mult[level]);
}

std::int64_t AdmConfig::width(std::size_t level) const {
  return static_cast<std::int64_t>(channel_mult[level] * static_cast<double>(model_channels));
}

bool AdmConfig::attends(std::size_t level) const {
  const std::int64_t factor = std::int64_t{1} << level;
  return std::find(attention_resolutions.begin(), attention_resolutions.end(), factor) != attention_resolutions.end();
}

std::int64_t AdmConfig::heads(std::int64_t channels, std::int64_t otherwise) const {
  if (num_head_channels == -1) return otherwise;
  RESEDA_REQUIRE(channels % num_head_channels == 0, Errc::kUsage, "network.num_head_channels must divide the ",
                 channels, " channels that attention stands on, got ", num_head_channels);
  return channels / num_head_channels;
}

at::ScalarType torso_type(const AdmConfig& config, at::ScalarType compute_type) {
  return config.torso == "f16" && compute_type == at::kFloat ? at::kHalf : compute_type;
}

at::Tensor torso_input(const AdmConfig& config, at::ScalarType compute_type, const at::Tensor& joined) {
  return in_fast_layout(joined.to(torso_type(config, compute_type)));
}

AdmStage::AdmStage(std::vector<std::shared_ptr<nn::AdmLayer>> layers) : layers_(std::move(layers)) {
  for (std::size_t i = 0; i < layers_.size(); ++i) register_module(std::to_string(i), layers_[i]);
}

at::Tensor AdmStage::forward(at::Tensor h, const at::Tensor& silu_temb, const nn::Probe& probe) const {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    h = layers_[i]->forward(h, silu_temb);
    if (probe) probe(std::to_string(i), h);
  }
  return h;
}

std::shared_ptr<nn::AdmLayer> AdmEncoder::block(const AdmConfig& config, std::int64_t in, std::int64_t out,
                                                nn::Resample resample) {
  const auto modulation = config.use_scale_shift_norm ? nn::Modulation::kScaleShift : nn::Modulation::kAdd;
  return std::make_shared<nn::AdmBlock>(in, out, 4 * config.model_channels,
                                        nn::AdmBlockOptions{.modulation = modulation, .resample = resample});
}

std::shared_ptr<nn::AdmLayer> AdmEncoder::attention(const AdmConfig& config, std::int64_t channels,
                                                    std::int64_t num_heads) {
  const auto order = config.use_new_attention_order ? nn::QkvOrder::kPartsFirst : nn::QkvOrder::kHeadsFirst;
  return std::make_shared<nn::AdmAttention>(channels, config.heads(channels, num_heads), order);
}

AdmEncoder::AdmEncoder(const AdmConfig& config, std::int64_t in_channels) : features_(config.model_channels) {
  const std::int64_t width = 4 * features_;
  const auto embedding = register_module("time_embed", std::make_shared<torch::nn::Module>("Sequential"));
  embed0_ = embedding->register_module("0", std::make_shared<nn::PlainLinear>(features_, width));
  embed1_ = embedding->register_module("2", std::make_shared<nn::PlainLinear>(width, width));
  first_ = std::make_shared<nn::PlainConv2d>(in_channels, config.width(0));
  widths_ = {config.width(0)};
  build_down(config);
  const std::int64_t deep = widths_.back();
  middle_ = register_module("middle_block", std::make_shared<AdmStage>(std::vector{
                                                block(config, deep, deep), attention(config, deep, config.num_heads),
                                                block(config, deep, deep)}));
}

void AdmEncoder::build_down(const AdmConfig& config) {
  const auto list = register_module("input_blocks", torch::nn::ModuleList());
  list->push_back(torch::nn::ModuleList(first_));
  const auto add = [&](std::vector<std::shared_ptr<nn::AdmLayer>> layers, std::int64_t width) {
    stages_.push_back(std::make_shared<AdmStage>(std::move(layers)));
    list->push_back(stages_.back());
    widths_.push_back(width);
  };
  for (std::size_t level = 0; level < config.levels(); ++level) {
    const std::int64_t width = config.width(level);
    for (std::int64_t i = 0; i < config.num_res_blocks; ++i) {
      std::vector layers = {block(config, widths_.back(), width)};
      if (config.attends(level)) layers.push_back(attention(config, width, config.num_heads));
      add(std::move(layers), width);
    }
    if (level + 1 == config.levels()) continue;
    if (config.resblock_updown)
      add({block(config, width, width, nn::Resample::kDown)}, width);
    else
      add({std::make_shared<nn::AdmDownsample>(width, config.conv_resample ? nn::WithConv::kYes : nn::WithConv::kNo)},
          width);
  }
}

at::Tensor AdmEncoder::embed(const at::Tensor& t) const {
  const at::Tensor features = nn::cosine_first_embedding(t, features_);
  return embed1_->forward(at::silu(embed0_->forward(features)));
}

at::Tensor AdmEncoder::forward(const at::Tensor& input, const at::Tensor& silu_temb, std::vector<at::Tensor>& skips,
                               const nn::Probe& probe) const {
  const auto seen = [&](const std::string& name, at::Tensor value) {
    if (probe) probe(name, value);
    return value;
  };
  skips.push_back(seen("input_blocks.0", first_->forward(input)));
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const std::string name = "input_blocks." + std::to_string(i + 1);
    skips.push_back(seen(name, stages_[i]->forward(skips.back(), silu_temb, nn::under(probe, name))));
  }
  return seen("middle_block", middle_->forward(skips.back(), silu_temb, nn::under(probe, "middle_block")));
}

}  // namespace reseda::nets
