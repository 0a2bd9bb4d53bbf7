#include "modules/nets/ncsnpp.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <utility>

#include "modules/core/error.hpp"
#include "modules/nn/fir.hpp"

namespace reseda::nets {
namespace {

constexpr std::int64_t kChannels = 4;  // real and imaginary part of x and y

/// The final 1x1 convolution starts as a plain convolution layer does: uniform within 1 / sqrt(fan_in), bias included.
std::shared_ptr<nn::Conv2d> make_output_layer() {
  auto layer = std::make_shared<nn::Conv2d>(kChannels, 2, 1);
  const double bound = 1 / std::sqrt(static_cast<double>(kChannels));
  const at::NoGradGuard no_grad;
  layer->weight.uniform_(-bound, bound);
  layer->bias.uniform_(-bound, bound);
  return layer;
}

}  // namespace

template <class Module, class... Args>
std::shared_ptr<Module> Ncsnpp::add(Args&&... args) {
  auto module = std::make_shared<Module>(std::forward<Args>(args)...);
  all_->push_back(module);
  return module;
}

Ncsnpp::Ncsnpp(const NcsnppConfig& config, TimeDivision division) : config_(config), division_(division) {
  output_layer_ = register_module("output_layer", make_output_layer());
  all_ = register_module("all_modules", torch::nn::ModuleList());
  const std::int64_t nf = config_.nf, width = 4 * nf;
  features_ = add<nn::FourierFeatures>(nf, config_.fourier_scale);
  embed0_ = add<nn::Linear>(2 * nf, width);
  embed1_ = add<nn::Linear>(width, width);
  first_ = add<nn::Conv2d>(kChannels, nf, 3);
  std::vector<std::int64_t> skips = {nf};
  build_down(skips);
  const std::int64_t deep = skips.back();
  middle0_ = add<nn::ResidualBlock>(deep, deep, width);
  middle_attention_ = add<nn::AttentionBlock>(deep);
  middle1_ = add<nn::ResidualBlock>(deep, deep, width);
  build_up(skips);
}

void Ncsnpp::build_down(std::vector<std::int64_t>& skips) {
  const std::int64_t width = 4 * config_.nf;
  for (std::size_t level = 0; level < config_.levels(); ++level) {
    const std::int64_t channels = config_.channels(level);
    Down& stage = down_.emplace_back();
    for (std::int64_t block = 0; block < config_.num_res_blocks; ++block) {
      stage.blocks.push_back(add<nn::ResidualBlock>(skips.back(), channels, width));
      if (config_.attends(level)) stage.attentions.push_back(add<nn::AttentionBlock>(channels));
      skips.push_back(channels);
    }
    if (level + 1 == config_.levels()) continue;
    stage.shrink = add<nn::ResidualBlock>(channels, channels, width, nn::Resample::kDown);
    if (config_.progressive_input == "input_skip") stage.combine = add<nn::Combine>(kChannels, channels);
    skips.push_back(channels);
  }
}

void Ncsnpp::build_up(std::vector<std::int64_t>& skips) {
  const std::int64_t width = 4 * config_.nf;
  std::int64_t below = skips.back();
  for (std::size_t level = config_.levels(); level-- > 0;) {
    const std::int64_t channels = config_.channels(level);
    Up& stage = up_.emplace_back();
    for (std::int64_t block = 0; block <= config_.num_res_blocks; ++block) {
      stage.blocks.push_back(add<nn::ResidualBlock>(below + skips.back(), channels, width));
      skips.pop_back();
      below = channels;
    }
    if (config_.attends(level)) stage.attention = add<nn::AttentionBlock>(channels);
    if (config_.progressive == "output_skip" || level == 0) {
      stage.norm = add<nn::GroupNorm>(channels);
      stage.conv = add<nn::Conv2d>(channels, kChannels, 3, config_.init_scale);
    }
    if (level > 0) stage.grow = add<nn::ResidualBlock>(channels, channels, width, nn::Resample::kUp);
  }
  RESEDA_INVARIANT(skips.empty());
}

std::int64_t Ncsnpp::index_of(const torch::nn::Module& module) const {
  for (std::size_t i = 0; i < all_->size(); ++i)
    if (all_->ptr(i).get() == &module) return static_cast<std::int64_t>(i);
  RESEDA_INVARIANT(false);
}

at::Tensor Ncsnpp::seen(const torch::nn::Module& module, at::Tensor value) const {
  if (probe_) probe_("all_modules." + std::to_string(index_of(module)), value);
  return value;
}

at::Tensor Ncsnpp::embed(const at::Tensor& t) const {
  const at::Tensor features = seen(*features_, features_->forward(t.log()));
  const at::Tensor hidden = seen(*embed0_, embed0_->forward(features));
  // Every residual block takes silu of the embedding: once is enough.
  return at::silu(seen(*embed1_, embed1_->forward(at::silu(hidden))));
}

at::Tensor Ncsnpp::go_down(const at::Tensor& input, const at::Tensor& temb, std::vector<at::Tensor>& skips) const {
  at::Tensor pyramid = input;
  skips.push_back(seen(*first_, first_->forward(input.to(compute_type()))));
  for (const Down& stage : down_) {
    for (std::size_t block = 0; block < stage.blocks.size(); ++block) {
      at::Tensor h = seen(*stage.blocks[block], stage.blocks[block]->forward(skips.back(), temb));
      if (!stage.attentions.empty()) h = seen(*stage.attentions[block], stage.attentions[block]->forward(h));
      skips.push_back(std::move(h));
    }
    if (!stage.shrink) continue;
    at::Tensor h = seen(*stage.shrink, stage.shrink->forward(skips.back(), temb));
    if (stage.combine) {
      pyramid = nn::fir_down2(pyramid);
      if (probe_) probe_("pyramid_downsample", pyramid);
      h = seen(*stage.combine, stage.combine->forward(pyramid, h));
    }
    skips.push_back(std::move(h));
  }
  return skips.back();
}

at::Tensor Ncsnpp::to_channels(const Up& stage, const at::Tensor& h) const {
  if (probe_) seen(*stage.norm, stage.norm->forward(h));
  return seen(*stage.conv, stage.conv->forward(stage.norm->forward_silu(h)).to(at::kFloat));
}

at::Tensor Ncsnpp::go_up(at::Tensor h, const at::Tensor& temb, std::vector<at::Tensor>& skips) const {
  at::Tensor pyramid;
  for (const Up& stage : up_) {
    for (const auto& block : stage.blocks) {
      h = at::cat({h, skips.back()}, 1);
      skips.pop_back();
      h = seen(*block, block->forward(h, temb));
    }
    if (stage.attention) h = seen(*stage.attention, stage.attention->forward(h));
    if (stage.conv) {
      if (pyramid.defined()) {
        pyramid = nn::fir_up2(pyramid);
        if (probe_) probe_("pyramid_upsample", pyramid);
        pyramid = pyramid + to_channels(stage, h);
      } else {
        pyramid = to_channels(stage, h);
      }
    }
    if (stage.grow) h = seen(*stage.grow, stage.grow->forward(h, temb));
  }
  return pyramid;
}

at::Tensor Ncsnpp::head(at::Tensor h, const at::Tensor& t) const {
  const bool divides = config_.scale_by_sigma;
  const at::Tensor time = t.view({-1, 1, 1, 1});
  if (divides && division_ == TimeDivision::kBeforeHead) h = h / time;
  h = output_layer_->forward(h);
  if (probe_) probe_("output_layer", h);
  if (divides && division_ == TimeDivision::kAfterHead) h = h / time;
  return at::view_as_complex(h.permute({0, 2, 3, 1}).contiguous()).unsqueeze(1);
}

at::Tensor Ncsnpp::forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) {
  RESEDA_REQUIRE(x.dim() == 4 && x.size(1) == 1 && x.is_complex() && y.is_complex() && y.sizes() == x.sizes(),
                 Errc::kInternal, "ncsnpp: x and y must be complex [B,1,F,T] of one shape");
  RESEDA_REQUIRE(t.dim() == 1 && t.size(0) == x.size(0), Errc::kInternal, "ncsnpp: t must be [B]");
  RESEDA_REQUIRE(x.size(2) % time_multiple() == 0 && x.size(3) % time_multiple() == 0, Errc::kInternal,
                 "ncsnpp: ", x.size(2), " bins and ", x.size(3), " frames must be multiples of ", time_multiple());
  RESEDA_REQUIRE(config_.fits_height(x.size(2)), Errc::kUsage, "network.image_size ", config_.image_size,
                 " and network.attn_resolutions do not fit a spectrogram of ", x.size(2), " bins");
  at::Tensor input = at::cat({at::real(x), at::imag(x), at::real(y), at::imag(y)}, 1)
                         .to(at::kFloat)
                         .contiguous(at::MemoryFormat::ChannelsLast);
  if (!config_.centered) input = 2 * input - 1;
  const at::Tensor temb = embed(t);
  std::vector<at::Tensor> skips;
  at::Tensor h = go_down(input, temb, skips);
  h = seen(*middle0_, middle0_->forward(h, temb));
  h = seen(*middle_attention_, middle_attention_->forward(h));
  h = seen(*middle1_, middle1_->forward(h, temb));
  return head(go_up(std::move(h), temb, skips), t);
}

namespace {

struct Ncsnpp16 final : Ncsnpp {
  explicit Ncsnpp16(const NcsnppConfig& config) : Ncsnpp(config, TimeDivision::kBeforeHead) {}
};

}  // namespace

const NetworkEntry& network_entry_ncsnpp() {
  static const NetworkEntry entry = make_component<Network, Ncsnpp16, NcsnppConfig>(
      "ncsnpp", "NCSN++ of SGMSE+, 16 kHz; its output is minus the score");
  return entry;
}

}  // namespace reseda::nets
