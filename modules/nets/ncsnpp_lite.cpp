#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/container/modulelist.h>

#include <cmath>
#include <numbers>

#include "modules/nets/network_module.hpp"

/// A small relative of NCSN++ for few network calls on a CPU. Against NCSN++ it
///   - sees the spectrum through a first convolution with stride `band_stride` along frequency and a learned bias per
///     band, so the U-Net works on a quarter of the rows;
///   - normalises over channels only (LayerNorm per position): no statistics over time, so the output at a frame
///   depends
///     on a bounded number of frames around it, and long recordings can be cut into overlapping chunks exactly;
///   - mixes time in the middle with dilated convolutions and frequency with attention inside one frame;
///   - predicts x0 = m_y y + m_x x_t + r with two complex masks and a residual.
/// Residual blocks, skip scaling by 1/sqrt(2) and zero-initialised second convolutions are those of NCSN++
/// (Song et al. 2021, "Score-Based Generative Modeling through Stochastic Differential Equations", appendix H).
namespace reseda::nets {
namespace {

struct NcsnppLiteConfig {
  std::int64_t bins = 256;
  std::int64_t band_stride = 4;
  std::vector<std::int64_t> channels = {32, 48, 96, 128};
  std::vector<std::int64_t> encoder_blocks = {1, 1, 1, 1};
  std::vector<std::int64_t> decoder_blocks = {1, 1, 1, 1};
  std::vector<std::int64_t> dilations = {1, 2, 4, 8};
  std::int64_t heads = 4;
  std::int64_t time_features = 32;
  double input_scale = 4.0;

  template <class V>
  void fields(V& v) {
    v("bins", bins, "frequency bins of the spectrum");
    v("band_stride", band_stride, "stride of the first convolution along frequency");
    v("channels", channels, "channels of each level");
    v("encoder_blocks", encoder_blocks, "residual blocks of each level on the way down");
    v("decoder_blocks", decoder_blocks, "residual blocks of each level on the way up");
    v("dilations", dilations, "time dilations of the blocks in the middle");
    v("heads", heads, "attention heads along frequency");
    v("time_features", time_features, "sines and cosines that embed the process time");
    v("input_scale", input_scale, "factor on the input channels");
  }
  void validate() const {
    const std::size_t levels = channels.size();
    RESEDA_REQUIRE(levels >= 1 && levels <= 8, Errc::kUsage, "network.channels must have 1 to 8 levels, got ", levels);
    RESEDA_REQUIRE(encoder_blocks.size() == levels && decoder_blocks.size() == levels, Errc::kUsage,
                   "network.encoder_blocks and decoder_blocks must have one entry per level (", levels, ")");
    const std::int64_t multiple = band_stride << (levels - 1);
    RESEDA_REQUIRE(band_stride >= 1 && bins >= multiple && bins % multiple == 0, Errc::kUsage,
                   "network.bins must be a multiple of ", multiple, ", got ", bins);
    for (const std::int64_t c : channels)
      RESEDA_REQUIRE(c >= 4 && c <= 4096 && c % 4 == 0, Errc::kUsage,
                     "network.channels must be multiples of 4 up to 4096, got ", c);
    for (const std::int64_t d : dilations)
      RESEDA_REQUIRE(d >= 1 && d <= 256, Errc::kUsage, "network.dilations must be 1 to 256, got ", d);
    RESEDA_REQUIRE(heads >= 1 && channels.back() % heads == 0, Errc::kUsage, "network.heads must divide ",
                   channels.back());
    RESEDA_REQUIRE(time_features >= 2 && time_features % 2 == 0, Errc::kUsage, "network.time_features must be even");
  }
};

/// Convolution over (frequency, time) that computes in the type of its input; weights stay float32.
struct Conv : torch::nn::Module {
  at::Tensor weight, bias;
  std::vector<std::int64_t> stride, padding, dilation;
  Conv(std::int64_t in, std::int64_t out, std::vector<std::int64_t> kernel, std::vector<std::int64_t> stride_,
       std::vector<std::int64_t> padding_, std::vector<std::int64_t> dilation_ = {1, 1}, double gain = 1.0)
      : stride(std::move(stride_)), padding(std::move(padding_)), dilation(std::move(dilation_)) {
    // Uniform with variance 1 / mean(fan_in, fan_out), as NCSN++'s default initialisation.
    const double fan = static_cast<double>(in + out) / 2.0 * static_cast<double>(kernel[0] * kernel[1]);
    const double bound = std::sqrt(3.0 * gain / fan);
    weight = register_parameter("weight", at::empty({out, in, kernel[0], kernel[1]}).uniform_(-bound, bound));
    bias = register_parameter("bias", at::zeros({out}));
  }
  at::Tensor forward(const at::Tensor& x) const {
    return at::conv2d(x, weight.to(x.scalar_type()), bias.to(x.scalar_type()), stride, padding, dilation);
  }
};

struct Linear : torch::nn::Module {
  at::Tensor weight, bias;
  Linear(std::int64_t in, std::int64_t out, double gain = 1.0) {
    const double bound = std::sqrt(6.0 * gain / static_cast<double>(in + out));
    weight = register_parameter("weight", at::empty({out, in}).uniform_(-bound, bound));
    bias = register_parameter("bias", at::zeros({out}));
  }
  at::Tensor forward(const at::Tensor& x) const {
    return at::linear(x, weight.to(x.scalar_type()), bias.to(x.scalar_type()));
  }
};

/// LayerNorm over the channels of each position; the statistics are float32.
struct ChannelNorm : torch::nn::Module {
  at::Tensor weight, bias;
  explicit ChannelNorm(std::int64_t channels) {
    weight = register_parameter("weight", at::ones({channels}));
    bias = register_parameter("bias", at::zeros({channels}));
  }
  /// [..., C]
  at::Tensor last_axis(const at::Tensor& x) const {
    return at::layer_norm(x, {weight.size(0)}, weight.to(x.scalar_type()), bias.to(x.scalar_type()), 1e-5);
  }
  /// [B,C,F,T] in channels-last memory
  at::Tensor forward(const at::Tensor& x) const { return last_axis(x.permute({0, 2, 3, 1})).permute({0, 3, 1, 2}); }
};

struct Block : torch::nn::Module {
  std::shared_ptr<ChannelNorm> norm0, norm1;
  std::shared_ptr<Conv> conv0, conv1, skip;
  std::shared_ptr<Linear> time;
  Block(std::int64_t in, std::int64_t out, std::int64_t time_width, std::int64_t dilation) {
    norm0 = register_module("norm0", std::make_shared<ChannelNorm>(in));
    const std::vector<std::int64_t> one = {1, 1}, dilated = {1, dilation};
    conv0 = register_module("conv0",
                            std::make_shared<Conv>(in, out, std::vector<std::int64_t>{3, 3}, one, dilated, dilated));
    time = register_module("time", std::make_shared<Linear>(time_width, out));
    norm1 = register_module("norm1", std::make_shared<ChannelNorm>(out));
    conv1 = register_module("conv1",
                            std::make_shared<Conv>(out, out, std::vector<std::int64_t>{3, 3}, one, one, one, 1e-2));
    if (in != out)
      skip = register_module("skip", std::make_shared<Conv>(in, out, std::vector<std::int64_t>{1, 1}, one,
                                                            std::vector<std::int64_t>{0, 0}));
  }
  at::Tensor forward(const at::Tensor& x, const at::Tensor& embedding) const {
    at::Tensor h = conv0->forward(at::silu(norm0->forward(x)));
    h = h + time->forward(embedding).to(h.scalar_type()).unsqueeze(-1).unsqueeze(-1);
    h = conv1->forward(at::silu(norm1->forward(h)));
    return ((skip ? skip->forward(x) : x) + h) * (1.0 / std::numbers::sqrt2);
  }
};

/// Self-attention among the bands of one frame, and a feed-forward layer; both residual.
struct FrequencyAttention : torch::nn::Module {
  std::shared_ptr<ChannelNorm> norm0, norm1;
  std::shared_ptr<Linear> qkv, out, wide, narrow;
  at::Tensor position;
  std::int64_t heads;
  FrequencyAttention(std::int64_t channels, std::int64_t bands, std::int64_t heads_) : heads(heads_) {
    position = register_parameter("position", at::zeros({bands, channels}));
    norm0 = register_module("norm0", std::make_shared<ChannelNorm>(channels));
    qkv = register_module("qkv", std::make_shared<Linear>(channels, 3 * channels));
    out = register_module("out", std::make_shared<Linear>(channels, channels, 1e-2));
    norm1 = register_module("norm1", std::make_shared<ChannelNorm>(channels));
    wide = register_module("wide", std::make_shared<Linear>(channels, 2 * channels));
    narrow = register_module("narrow", std::make_shared<Linear>(2 * channels, channels, 1e-2));
  }
  at::Tensor forward(const at::Tensor& x) const {
    const std::int64_t batch = x.size(0), channels = x.size(1), bands = x.size(2), frames = x.size(3);
    at::Tensor h = x.permute({0, 3, 2, 1});  // [B,T,F,C]
    const at::Tensor normed = norm0->last_axis(h + position.to(h.scalar_type()));
    const at::Tensor heads_first =
        qkv->forward(normed).view({batch * frames, bands, 3, heads, channels / heads}).permute({2, 0, 3, 1, 4});
    const at::Tensor mixed = at::scaled_dot_product_attention(heads_first[0], heads_first[1], heads_first[2]);
    h = h + out->forward(mixed.transpose(1, 2).reshape({batch, frames, bands, channels}));
    h = h + narrow->forward(at::silu(wide->forward(norm1->last_axis(h))));
    return h.permute({0, 3, 2, 1}).contiguous(at::MemoryFormat::ChannelsLast);
  }
};

class NcsnppLite final : public NetworkModule {
 public:
  explicit NcsnppLite(NcsnppLiteConfig config) : config_(std::move(config)) {
    const auto& c = config_.channels;
    const std::int64_t width = 2 * config_.time_features, bands = config_.bins / config_.band_stride,
                       stride = config_.band_stride;
    const std::vector<std::int64_t> one = {1, 1}, none = {0, 0}, three = {3, 3};
    embed0_ = register_module("embed0", std::make_shared<Linear>(config_.time_features, width));
    embed1_ = register_module("embed1", std::make_shared<Linear>(width, width));
    front_ = register_module("front", std::make_shared<Conv>(6, c[0], std::vector<std::int64_t>{2 * stride, 3},
                                                             std::vector<std::int64_t>{stride, 1},
                                                             std::vector<std::int64_t>{stride / 2, 1}));
    band_bias_ = register_parameter("band_bias", at::zeros({c[0], bands, 1}));
    down_ = register_module("down", torch::nn::ModuleList());
    middle_ = register_module("middle", torch::nn::ModuleList());
    up_ = register_module("up", torch::nn::ModuleList());
    const auto levels = static_cast<std::int64_t>(c.size());
    for (std::int64_t l = 0; l < levels; ++l) {
      const auto i = static_cast<std::size_t>(l);
      if (l > 0) down_->push_back(std::make_shared<Conv>(c[i - 1], c[i], three, std::vector<std::int64_t>{2, 2}, one));
      for (std::int64_t b = 0; b < config_.encoder_blocks[i]; ++b)
        down_->push_back(std::make_shared<Block>(c[i], c[i], width, 1));
    }
    const std::int64_t deep = c.back(), deep_bands = bands >> (levels - 1);
    for (std::size_t d = 0; d < config_.dilations.size(); ++d) {
      middle_->push_back(std::make_shared<Block>(deep, deep, width, config_.dilations[d]));
      if (d % 2 == 1) middle_->push_back(std::make_shared<FrequencyAttention>(deep, deep_bands, config_.heads));
    }
    for (std::int64_t l = levels - 1; l >= 0; --l) {
      const auto i = static_cast<std::size_t>(l);
      for (std::int64_t b = 0; b < config_.decoder_blocks[i]; ++b)
        up_->push_back(std::make_shared<Block>(b == 0 ? 2 * c[i] : c[i], c[i], width, 1));
      if (l > 0) up_->push_back(std::make_shared<Conv>(c[i], c[i - 1], three, one, one));
    }
    norm_ = register_module("norm", std::make_shared<ChannelNorm>(c[0]));
    head_ = register_module("head", std::make_shared<Conv>(c[0], 6 * stride, std::vector<std::int64_t>{3, 1}, one,
                                                           std::vector<std::int64_t>{1, 0}, one, 1e-2));
    // The first real mask starts at one half: the network begins as a mild attenuator of y.
    at::NoGradGuard no_grad;
    head_->bias.narrow(0, 0, stride).fill_(0.5);
  }

  std::int64_t time_multiple() const override { return std::int64_t{1} << (config_.channels.size() - 1); }

  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override {
    RESEDA_REQUIRE(x.dim() == 4 && x.size(1) == 1 && x.is_complex() && y.sizes() == x.sizes(), Errc::kInternal,
                   "ncsnpp_lite: x and y must be complex [B,1,F,T]");
    RESEDA_REQUIRE(x.size(2) == config_.bins && x.size(3) % time_multiple() == 0, Errc::kInternal,
                   "ncsnpp_lite: ", x.size(2), " bins and ", x.size(3), " frames do not fit (", config_.bins,
                   " bins, frames a multiple of ", time_multiple(), ")");
    const at::ScalarType type = compute_type();
    const at::Tensor embedding = embed(t).to(type);
    const at::Tensor parts =
        at::cat({at::real(x), at::imag(x), magnitude(x), at::real(y), at::imag(y), magnitude(y)}, 1);
    at::Tensor h = (parts * config_.input_scale).to(type).contiguous(at::MemoryFormat::ChannelsLast);
    h = front_->forward(h) + band_bias_.to(type);

    std::vector<at::Tensor> skips;
    const std::size_t levels = config_.channels.size();
    std::size_t next = 0;
    for (std::size_t l = 0; l < levels; ++l) {
      if (l > 0) h = down_[next++]->as<Conv>()->forward(h);
      for (std::int64_t b = 0; b < config_.encoder_blocks[l]; ++b)
        h = down_[next++]->as<Block>()->forward(h, embedding);
      skips.push_back(h);
    }
    for (const auto& module : *middle_) {
      if (const auto* block = module->as<Block>())
        h = block->forward(h, embedding);
      else
        h = module->as<FrequencyAttention>()->forward(h);
    }
    next = 0;
    for (std::size_t l = levels; l-- > 0;) {
      h = at::cat({h, skips[l]}, 1);
      for (std::int64_t b = 0; b < config_.decoder_blocks[l]; ++b) h = up_[next++]->as<Block>()->forward(h, embedding);
      if (l > 0) h = up_[next++]->as<Conv>()->forward(at::upsample_nearest2d(h, {2 * h.size(2), 2 * h.size(3)}));
    }
    h = at::silu(norm_->forward(h)).to(at::kFloat);
    // [B, 6 stride, bands, T] -> [B, 6, bins, T]: the bins of one band are channels of the head.
    const std::int64_t stride = config_.band_stride;
    const at::Tensor out = head_->forward(h)
                               .view({h.size(0), 6, stride, h.size(2), h.size(3)})
                               .transpose(2, 3)
                               .reshape({h.size(0), 6, config_.bins, h.size(3)});
    const auto pair = [&](std::int64_t first) {
      return at::complex(out.slice(1, first, first + 1).contiguous(), out.slice(1, first + 1, first + 2).contiguous());
    };
    return pair(0) * y + pair(2) * x + pair(4);
  }

 private:
  static at::Tensor magnitude(const at::Tensor& z) {
    return (at::real(z).square() + at::imag(z).square() + 1e-12).sqrt();
  }

  at::Tensor embed(const at::Tensor& t) const {
    const at::Tensor frequency = at::exp(at::arange(config_.time_features / 2, t.options()) *
                                         (std::log(100.0) / static_cast<double>(config_.time_features / 2)));
    const at::Tensor phase = t.unsqueeze(-1) * frequency * std::numbers::pi;
    const at::Tensor features = at::cat({phase.sin(), phase.cos()}, -1);
    return at::silu(embed1_->forward(at::silu(embed0_->forward(features))));
  }

  NcsnppLiteConfig config_;
  std::shared_ptr<Linear> embed0_, embed1_;
  std::shared_ptr<Conv> front_, head_;
  at::Tensor band_bias_;
  torch::nn::ModuleList down_, middle_, up_;
  std::shared_ptr<ChannelNorm> norm_;
};

}  // namespace

const NetworkEntry& network_entry_ncsnpp_lite() {
  static const NetworkEntry entry = make_component<Network, NcsnppLite, NcsnppLiteConfig>(
      "ncsnpp_lite", "small NCSN++ with a banded front, for few calls on a CPU");
  return entry;
}

}  // namespace reseda::nets
