#include "modules/nets/resfusion_ddim_unet.hpp"

#include <ATen/ATen.h>
#include <torch/nn/modules/container/modulelist.h>

#include <algorithm>

#include "modules/core/error.hpp"
#include "modules/nets/image_input.hpp"
#include "modules/nn/pixel_attention.hpp"
#include "modules/nn/sinusoidal_embedding.hpp"

namespace reseda::nets {

void ResfusionDdimUnetConfig::validate() const {
  RESEDA_REQUIRE(levels() >= 1 && levels() <= 10, Errc::kUsage, "network.ch_mult must have 1 to 10 levels, got ",
                 levels());
  RESEDA_REQUIRE(ch >= 32 && ch <= 4096 && ch % 32 == 0, Errc::kUsage,
                 "network.ch must be a multiple of 32 up to 4096, got ", ch);
  for (const std::int64_t factor : ch_mult)
    RESEDA_REQUIRE(factor >= 1 && factor <= 64 && ch * factor <= 8192, Errc::kUsage,
                   "network.ch_mult must be positive and give at most 8192 channels, got ", factor);
  RESEDA_REQUIRE(num_res_blocks >= 1 && num_res_blocks <= 64, Errc::kUsage,
                 "network.num_res_blocks must be 1 to 64, got ", num_res_blocks);
  const std::int64_t least = std::int64_t{1} << (levels() - 1);
  RESEDA_REQUIRE(image_size >= least && image_size <= 1 << 20, Errc::kUsage, "network.image_size must be at least ",
                 least, " for ", levels(), " levels, got ", image_size);
  RESEDA_REQUIRE(channels >= 1 && channels <= 1024, Errc::kUsage, "network.channels must be 1 to 1024, got ", channels);
  RESEDA_REQUIRE(out_channels >= 0 && out_channels <= 1024, Errc::kUsage,
                 "network.out_channels must be 0 to 1024, got ", out_channels);
  RESEDA_REQUIRE(condition_channels >= 0 && condition_channels <= 1024, Errc::kUsage,
                 "network.condition_channels must be 0 to 1024, got ", condition_channels);
}

bool ResfusionDdimUnetConfig::attends(std::size_t level) const {
  return std::find(attn_resolutions.begin(), attn_resolutions.end(), image_size >> level) != attn_resolutions.end();
}

ResfusionDdimUnet::ResfusionDdimUnet(const ResfusionDdimUnetConfig& config) : config_(config) {
  config_.validate();
  const std::int64_t ch = config_.ch, width = 4 * ch;
  dense0_ = std::make_shared<nn::PlainLinear>(ch, width);
  dense1_ = std::make_shared<nn::PlainLinear>(width, width);
  register_module("temb", std::make_shared<torch::nn::Module>("Embedding"))
      ->register_module("dense", torch::nn::ModuleList(dense0_, dense1_));
  conv_in_ =
      register_module("conv_in", std::make_shared<nn::PlainConv2d>(config_.channels + config_.condition_channels, ch));
  std::vector<std::int64_t> skips = {ch};
  build_down(skips);
  build_mid(skips.back());
  build_up(skips);
  norm_out_ = register_module("norm_out", std::make_shared<nn::PlainGroupNorm>(32, config_.width(0), 1e-6));
  const std::int64_t out = config_.out_channels > 0 ? config_.out_channels : config_.channels;
  conv_out_ = register_module("conv_out", std::make_shared<nn::PlainConv2d>(config_.width(0), out));
}

std::shared_ptr<torch::nn::Module> ResfusionDdimUnet::module_of(const Level& level) const {
  auto module = std::make_shared<torch::nn::Module>("Level");
  const auto blocks = module->register_module("block", torch::nn::ModuleList());
  for (const auto& block : level.blocks) blocks->push_back(block);
  const auto attentions = module->register_module("attn", torch::nn::ModuleList());
  for (const auto& attention : level.attentions) attentions->push_back(attention);
  if (level.downsample) module->register_module("downsample", level.downsample);
  if (level.upsample) module->register_module("upsample", level.upsample);
  return module;
}

void ResfusionDdimUnet::build_down(std::vector<std::int64_t>& skips) {
  const auto list = register_module("down", torch::nn::ModuleList());
  for (std::size_t index = 0; index < config_.levels(); ++index) {
    const std::int64_t width = config_.width(index);
    Level& level = down_.emplace_back();
    level.name = "down." + std::to_string(index);
    for (std::int64_t block = 0; block < config_.num_res_blocks; ++block) {
      level.blocks.push_back(std::make_shared<nn::DdpmBlock>(skips.back(), width, 4 * config_.ch));
      if (config_.attends(index)) level.attentions.push_back(std::make_shared<nn::DdpmAttention>(width));
      skips.push_back(width);
    }
    if (index + 1 < config_.levels()) {
      level.downsample = std::make_shared<nn::DdpmDownsample>(width);
      skips.push_back(width);
    }
    list->push_back(module_of(level));
  }
}

void ResfusionDdimUnet::build_mid(std::int64_t width) {
  const auto mid = register_module("mid", std::make_shared<torch::nn::Module>("Middle"));
  const auto block = [&] { return std::make_shared<nn::DdpmBlock>(width, width, 4 * config_.ch); };
  mid_block1_ = mid->register_module("block_1", block());
  mid_attention_ = mid->register_module("attn_1", std::make_shared<nn::DdpmAttention>(width));
  mid_block2_ = mid->register_module("block_2", block());
}

void ResfusionDdimUnet::build_up(std::vector<std::int64_t>& skips) {
  std::int64_t below = skips.back();
  for (std::size_t index = config_.levels(); index-- > 0;) {
    const std::int64_t width = config_.width(index);
    Level& level = up_.emplace_back();
    level.name = "up." + std::to_string(index);
    for (std::int64_t block = 0; block <= config_.num_res_blocks; ++block) {
      level.blocks.push_back(std::make_shared<nn::DdpmBlock>(below + skips.back(), width, 4 * config_.ch));
      if (config_.attends(index)) level.attentions.push_back(std::make_shared<nn::DdpmAttention>(width));
      skips.pop_back();
      below = width;
    }
    if (index > 0) level.upsample = std::make_shared<nn::DdpmUpsample>(width);
  }
  RESEDA_INVARIANT(skips.empty());
  // Their names count from level 0.
  const auto list = register_module("up", torch::nn::ModuleList());
  for (auto level = up_.rbegin(); level != up_.rend(); ++level) list->push_back(module_of(*level));
}

at::Tensor ResfusionDdimUnet::seen(const std::string& name, at::Tensor value) const {
  if (probe_) probe_(name, value);
  return value;
}

at::Tensor ResfusionDdimUnet::embed(const at::Tensor& t) const {
  const at::Tensor features = nn::sinusoidal_embedding(t, config_.ch);
  const at::Tensor hidden = seen("temb.dense.0", dense0_->forward(features));
  // Every residual block takes silu of the embedding: once is enough.
  return at::silu(seen("temb.dense.1", dense1_->forward(at::silu(hidden))));
}

at::Tensor ResfusionDdimUnet::step(const Level& level, std::size_t block, const at::Tensor& x,
                                   const at::Tensor& temb) const {
  const std::string number = std::to_string(block), name = level.name + ".block." + number;
  at::Tensor h = seen(name, level.blocks[block]->forward(x, temb, nn::under(probe_, name)));
  if (level.attentions.empty()) return h;
  const std::string attention = level.name + ".attn." + number;
  return seen(attention, level.attentions[block]->forward(h, nn::under(probe_, attention)));
}

at::Tensor ResfusionDdimUnet::middle(const at::Tensor& x, const at::Tensor& temb) const {
  const auto under = [this](const char* name) { return nn::under(probe_, name); };
  at::Tensor h = seen("mid.block_1", mid_block1_->forward(x, temb, under("mid.block_1")));
  h = seen("mid.attn_1", mid_attention_->forward(h, under("mid.attn_1")));
  return seen("mid.block_2", mid_block2_->forward(h, temb, under("mid.block_2")));
}

at::Tensor ResfusionDdimUnet::forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) {
  const at::Tensor input = image_input({.state_channels = config_.channels,
                                        .condition_channels = config_.condition_channels,
                                        .multiple = time_multiple()},
                                       x, y)
                               .to(compute_type())
                               .contiguous(at::MemoryFormat::ChannelsLast);
  require_times(t, x);
  const at::Tensor temb = embed(t);
  std::vector<at::Tensor> skips = {seen("conv_in", conv_in_->forward(input))};
  for (const Level& level : down_) {
    for (std::size_t block = 0; block < level.blocks.size(); ++block)
      skips.push_back(step(level, block, skips.back(), temb));
    if (level.downsample) skips.push_back(seen(level.name + ".downsample", level.downsample->forward(skips.back())));
  }
  at::Tensor h = middle(skips.back(), temb);
  for (const Level& level : up_) {
    for (std::size_t block = 0; block < level.blocks.size(); ++block) {
      h = step(level, block, at::cat({h, skips.back()}, 1), temb);
      skips.pop_back();
    }
    if (level.upsample) h = seen(level.name + ".upsample", level.upsample->forward(h));
  }
  if (probe_) probe_("norm_out", norm_out_->forward(h));
  h = nn::silu_consumed(norm_out_->forward(h)).to(at::kFloat);
  return seen("conv_out", conv_out_->forward(h).contiguous());
}

const NetworkEntry& network_entry_resfusion_ddim_unet() {
  static const NetworkEntry entry = make_component<Network, ResfusionDdimUnet, ResfusionDdimUnetConfig>(
      "resfusion_ddim_unet", "U-Net of Resfusion for generation");
  return entry;
}

}  // namespace reseda::nets
