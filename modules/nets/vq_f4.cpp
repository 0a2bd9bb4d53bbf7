#include "modules/nets/vq_f4.hpp"

#include <ATen/ATen.h>
#include <torch/nn/modules/container/modulelist.h>

#include <string>

#include "modules/core/error.hpp"
#include "modules/nets/image_input.hpp"
#include "modules/nn/ddpm_block.hpp"
#include "modules/nn/pixel_attention.hpp"

namespace reseda::nets {
namespace {

std::shared_ptr<nn::PlainGroupNorm> norm_of(std::int64_t channels) {
  return std::make_shared<nn::PlainGroupNorm>(32, channels, 1e-6);
}

std::shared_ptr<nn::DdpmBlock> block_of(std::int64_t in, std::int64_t out) {
  return std::make_shared<nn::DdpmBlock>(in, out, /*embedding=*/0);
}

/// The residual blocks of one level, `block.i`, and what resamples behind them, where there is such.
class VqLevel : public torch::nn::Module {
 public:
  VqLevel(std::int64_t in, std::int64_t out, std::int64_t blocks) {
    const auto list = register_module("block", torch::nn::ModuleList());
    for (std::int64_t i = 0; i < blocks; ++i) {
      blocks_.push_back(block_of(i == 0 ? in : out, out));
      list->push_back(blocks_.back());
    }
  }
  void halve_behind(std::int64_t channels) {
    down_ = register_module("downsample", std::make_shared<nn::DdpmDownsample>(channels));
  }
  void double_behind(std::int64_t channels) {
    up_ = register_module("upsample", std::make_shared<nn::DdpmUpsample>(channels));
  }

  at::Tensor forward(at::Tensor h, const nn::Probe& probe) const {
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      h = blocks_[i]->forward(h, {});
      if (probe) probe("block." + std::to_string(i), h);
    }
    if (down_) h = down_->forward(h);
    if (up_) h = up_->forward(h);
    if (probe && down_) probe("downsample", h);
    if (probe && up_) probe("upsample", h);
    return h;
  }

 private:
  std::vector<std::shared_ptr<nn::DdpmBlock>> blocks_;
  std::shared_ptr<nn::DdpmDownsample> down_;
  std::shared_ptr<nn::DdpmUpsample> up_;
};

/// block_1, attn_1, block_2.
class VqMiddle : public torch::nn::Module {
 public:
  explicit VqMiddle(std::int64_t channels) {
    block1_ = register_module("block_1", block_of(channels, channels));
    attention_ = register_module("attn_1", std::make_shared<nn::DdpmAttention>(channels));
    block2_ = register_module("block_2", block_of(channels, channels));
  }
  at::Tensor forward(at::Tensor h, const nn::Probe& probe) const {
    h = block1_->forward(h, {});
    if (probe) probe("block_1", h);
    h = attention_->forward(h);
    if (probe) probe("attn_1", h);
    return block2_->forward(h, {});
  }

 private:
  std::shared_ptr<nn::DdpmBlock> block1_, block2_;
  std::shared_ptr<nn::DdpmAttention> attention_;
};

}  // namespace

/// conv_in, down.0 to the deepest level, mid, norm_out, conv_out.
class VqEncoder : public torch::nn::Module {
 public:
  explicit VqEncoder(const VqF4Config& config) {
    conv_in_ = register_module("conv_in", std::make_shared<nn::PlainConv2d>(config.in_channels, config.ch));
    const auto list = register_module("down", torch::nn::ModuleList());
    std::int64_t channels = config.ch;
    for (std::size_t level = 0; level < config.levels(); ++level) {
      levels_.push_back(std::make_shared<VqLevel>(channels, config.width(level), config.num_res_blocks));
      channels = config.width(level);
      if (level + 1 < config.levels()) levels_.back()->halve_behind(channels);
      list->push_back(levels_.back());
    }
    middle_ = register_module("mid", std::make_shared<VqMiddle>(channels));
    norm_out_ = register_module("norm_out", norm_of(channels));
    conv_out_ = register_module("conv_out", std::make_shared<nn::PlainConv2d>(channels, config.z_channels));
  }

  at::Tensor forward(const at::Tensor& x, const nn::Probe& probe) const {
    at::Tensor h = conv_in_->forward(x);
    for (std::size_t level = 0; level < levels_.size(); ++level)
      h = levels_[level]->forward(std::move(h), nn::under(probe, "down." + std::to_string(level)));
    h = middle_->forward(std::move(h), nn::under(probe, "mid"));
    h = norm_out_->forward(h);
    return conv_out_->forward(nn::silu_consumed(std::move(h)));
  }

 private:
  std::shared_ptr<nn::PlainConv2d> conv_in_, conv_out_;
  std::vector<std::shared_ptr<VqLevel>> levels_;
  std::shared_ptr<VqMiddle> middle_;
  std::shared_ptr<nn::PlainGroupNorm> norm_out_;
};

/// conv_in, mid, up from the deepest level to up.0, norm_out, conv_out.
class VqDecoder : public torch::nn::Module {
 public:
  explicit VqDecoder(const VqF4Config& config) : levels_(config.levels()) {
    std::int64_t channels = config.width(config.levels() - 1);
    conv_in_ = register_module("conv_in", std::make_shared<nn::PlainConv2d>(config.z_channels, channels));
    middle_ = register_module("mid", std::make_shared<VqMiddle>(channels));
    for (std::size_t level = config.levels(); level-- > 0;) {
      levels_[level] = std::make_shared<VqLevel>(channels, config.width(level), config.num_res_blocks + 1);
      channels = config.width(level);
      if (level > 0) levels_[level]->double_behind(channels);
    }
    const auto list = register_module("up", torch::nn::ModuleList());
    for (const auto& level : levels_) list->push_back(level);
    norm_out_ = register_module("norm_out", norm_of(channels));
    conv_out_ = register_module("conv_out", std::make_shared<nn::PlainConv2d>(channels, config.out_ch));
  }

  at::Tensor forward(const at::Tensor& z, const nn::Probe& probe) const {
    at::Tensor h = middle_->forward(conv_in_->forward(z), nn::under(probe, "mid"));
    for (std::size_t level = levels_.size(); level-- > 0;)
      h = levels_[level]->forward(std::move(h), nn::under(probe, "up." + std::to_string(level)));
    h = norm_out_->forward(h);
    return conv_out_->forward(nn::silu_consumed(std::move(h)));
  }

 private:
  std::shared_ptr<nn::PlainConv2d> conv_in_, conv_out_;
  std::vector<std::shared_ptr<VqLevel>> levels_;  // by level, though the deepest is first
  std::shared_ptr<VqMiddle> middle_;
  std::shared_ptr<nn::PlainGroupNorm> norm_out_;
};

void VqF4Config::validate() const {
  const auto require = [](const char* key, std::int64_t value, std::int64_t most) {
    RESEDA_REQUIRE(value >= 1 && value <= most, Errc::kUsage, "network.", key, " must be 1 to ", most, ", got ", value);
  };
  require("embed_dim", embed_dim, 1024);
  require("n_embed", n_embed, 1 << 20);
  require("z_channels", z_channels, 1024);
  RESEDA_REQUIRE(!double_z, Errc::kUsage, "network.double_z must be false");
  require("in_channels", in_channels, 1024);
  require("out_ch", out_ch, 1024);
  RESEDA_REQUIRE(ch >= 32 && ch <= 4096 && ch % 32 == 0, Errc::kUsage,
                 "network.ch must be a multiple of 32 up to 4096, got ", ch);
  RESEDA_REQUIRE(levels() >= 1 && levels() <= 10, Errc::kUsage, "network.ch_mult must have 1 to 10 levels, got ",
                 levels());
  for (const std::int64_t factor : ch_mult)
    RESEDA_REQUIRE(factor >= 1 && factor <= 64 && ch * factor <= 8192, Errc::kUsage,
                   "network.ch_mult must be positive and give at most 8192 channels, got ", factor);
  require("num_res_blocks", num_res_blocks, 64);
  RESEDA_REQUIRE(attn_resolutions.empty(), Errc::kUsage, "network.attn_resolutions must be empty");
  RESEDA_REQUIRE(dropout >= 0 && dropout < 1, Errc::kUsage, "network.dropout must be in [0, 1), got ", dropout);
}

VqF4::VqF4(const VqF4Config& config) : config_(config) {
  config_.validate();
  encoder_ = register_module("encoder", std::make_shared<VqEncoder>(config_));
  decoder_ = register_module("decoder", std::make_shared<VqDecoder>(config_));
  quantize_ = register_module("quantize", std::make_shared<nn::VectorQuantizer>(config_.n_embed, config_.embed_dim));
  quant_conv_ = register_module(
      "quant_conv", std::make_shared<nn::PlainConv2d>(config_.z_channels, config_.embed_dim, nn::kPointwise));
  post_quant_conv_ = register_module(
      "post_quant_conv", std::make_shared<nn::PlainConv2d>(config_.embed_dim, config_.z_channels, nn::kPointwise));
}

VqF4::~VqF4() = default;

at::Tensor VqF4::encode(const at::Tensor& x) const {
  const at::Tensor image = image_input({.state_channels = config_.in_channels, .multiple = factor()}, x, {});
  const at::Tensor h = encoder_->forward(in_fast_layout(image.to(compute_type())), nn::under(probe_, "encoder"));
  return quant_conv_->forward(h).to(at::kFloat).contiguous();
}

at::Tensor VqF4::decode(const at::Tensor& z, Latents latents) const {
  const at::Tensor given = image_input({.state_channels = config_.embed_dim}, z, {});
  const at::Tensor codes = latents == Latents::kQuantised ? quantize(given).z : given;
  const at::Tensor h = post_quant_conv_->forward(in_fast_layout(codes.to(compute_type())));
  return decoder_->forward(h, nn::under(probe_, "decoder")).to(at::kFloat).contiguous();
}

at::Tensor VqF4::forward(const at::Tensor& x, const at::Tensor& /*y*/, const at::Tensor& /*t*/) {
  return decode(encode(x));
}

const NetworkEntry& network_entry_vq_f4() {
  static const NetworkEntry entry = make_component<Network, VqF4, VqF4Config>(
      "vq_f4", "autoencoder with codes of ResShift and DifIISR, a quarter of the size");
  return entry;
}

}  // namespace reseda::nets
