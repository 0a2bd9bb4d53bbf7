#include "modules/nets/sr_resnet.hpp"

#include <ATen/ATen.h>
#include <torch/nn/modules/container/modulelist.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "modules/core/error.hpp"
#include "modules/nets/fused_sr_resnet.hpp"
#include "modules/nn/sinusoidal_embedding.hpp"

namespace reseda::nets {
namespace {

/// Values inside a block that are held at once: 16 MiB of float32, which caches hold and allocators keep.
constexpr std::int64_t kStripValues = std::int64_t{4} << 20;

}  // namespace

void SrResnetConfig::validate() const {
  const auto within = [](const char* key, std::int64_t value, std::int64_t least, std::int64_t most) {
    RESEDA_REQUIRE(value >= least && value <= most, Errc::kUsage, "network.", key, " must be ", least, " to ", most,
                   ", got ", value);
  };
  within("in_channels", in_channels, 1, 1024);
  within("condition_channels", condition_channels, 0, 4096);
  within("out_channels", out_channels, 1, 1024);
  within("channels", channels, 1, 1024);
  within("expansion", expansion, 1, 16);
  within("blocks", blocks, 1, 256);
  within("time_channels", time_channels, 2, 4096);
}

SrResnet::SrResnet(const SrResnetConfig& config) : config_(config) {
  config_.validate();
  const std::int64_t width = config_.channels, wide = width * config_.expansion;
  const std::int64_t seen = config_.in_channels + config_.condition_channels;
  first_ = register_module("first", std::make_shared<nn::PlainConv2d>(seen, width));
  embed_ = register_module("embed", std::make_shared<nn::PlainLinear>(config_.time_channels, config_.time_channels));
  const auto list = register_module("blocks", torch::nn::ModuleList());
  for (std::int64_t i = 0; i < config_.blocks; ++i) {
    const auto block = std::make_shared<torch::nn::Module>("SrBlock");
    modulate_.push_back(
        block->register_module("modulate", std::make_shared<nn::PlainLinear>(config_.time_channels, 2 * wide)));
    widen_.push_back(block->register_module("widen", std::make_shared<nn::PlainConv2d>(width, wide)));
    narrow_.push_back(block->register_module("narrow", std::make_shared<nn::PlainConv2d>(wide, width)));
    list->push_back(block);
    // A block changes little at first and every time acts alike, which lets deep stacks learn fast without norms.
    narrow_.back()->weight.detach().mul_(0.3);
    for (at::Tensor* zero : {&narrow_.back()->bias, &modulate_.back()->weight, &modulate_.back()->bias})
      zero->detach().zero_();
  }
  last_ = register_module("last", std::make_shared<nn::PlainConv2d>(width, config_.out_channels));
  last_->weight.detach().mul_(0.1);
  last_->bias.detach().zero_();
  skip_ = register_module("skip", std::make_shared<nn::PlainConv2d>(seen, config_.out_channels));
  skip_->weight.detach().zero_();
  skip_->bias.detach().zero_();
}

at::Tensor SrResnet::forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) {
  const std::int64_t conditions = y.defined() ? y.size(1) : 0;
  RESEDA_REQUIRE(x.size(1) == config_.in_channels && conditions == config_.condition_channels, Errc::kUsage,
                 "sr_resnet: expected ", config_.in_channels, " channels and ", config_.condition_channels,
                 " of a condition, got ", x.size(1), " and ", conditions);
  const at::Tensor seen = (conditions > 0 ? at::cat({x, y}, 1) : x).to(compute_type());
  const at::Tensor time = at::silu(embed_->forward(nn::cosine_first_embedding(t, config_.time_channels)));
  if (!at::GradMode::is_enabled() && (t.size(0) == 1 || (t == t[0]).all().item<bool>()))
    return at_one_time(seen.contiguous(at::MemoryFormat::ChannelsLast), time[0]).to(at::kFloat);
  at::Tensor h = first_->forward(seen);
  for (std::size_t i = 0; i < widen_.size(); ++i) {
    const at::Tensor scale_shift = modulate_[i]->forward(time).to(compute_type()).unsqueeze(-1).unsqueeze(-1);
    const std::vector<at::Tensor> parts = scale_shift.chunk(2, 1);
    at::Tensor wide = at::addcmul(parts[1], widen_[i]->forward(h), parts[0] + 1.0);
    h = h + narrow_[i]->forward(at::relu(wide));
  }
  return (last_->forward(h) + skip_->forward(seen)).to(at::kFloat);
}

at::Tensor SrResnet::at_one_time(const at::Tensor& seen, const at::Tensor& time) const {
  const auto conv = [](const nn::PlainConv2d& layer) { return SrConv{layer.weight, layer.bias}; };
  SrConvs convs = {conv(*first_), conv(*last_), conv(*skip_), {}, {}};
  for (std::size_t i = 0; i < widen_.size(); ++i) {
    const std::vector<at::Tensor> scale_shift = modulate_[i]->forward(time).chunk(2);
    const at::Tensor gain = scale_shift[0] + 1.0;
    convs.widen.push_back(
        {widen_[i]->weight * gain.view({-1, 1, 1, 1}), at::addcmul(scale_shift[1], widen_[i]->bias, gain)});
    convs.narrow.push_back(conv(*narrow_[i]));
  }
  if (FusedSrResnet::takes(convs, seen)) return FusedSrResnet(convs).forward(seen);
  const at::ScalarType type = seen.scalar_type();
  at::Tensor h = first_->forward(seen);
  for (std::size_t i = 0; i < widen_.size(); ++i)
    add_block(h, convs.widen[i].weight.to(type), convs.widen[i].bias.to(type), *narrow_[i]);
  return last_->forward(h).add_(skip_->forward(seen));
}

void SrResnet::add_block(at::Tensor& h, const at::Tensor& weight, const at::Tensor& bias,
                         const nn::PlainConv2d& narrow) {
  const std::int64_t height = h.size(2), row = h.size(0) * h.size(3) * weight.size(0),
                     rows = std::clamp<std::int64_t>(kStripValues / row, 8, std::max<std::int64_t>(height, 8));
  at::Tensor above;  // the two rows before the strip as they were
  for (std::int64_t top = 0; top < height; top += rows) {
    const std::int64_t end = std::min(top + rows, height), below = std::min(end + 2, height);
    const std::int64_t edge = top > 0 ? 1 : 0;  // rows of a convolution that lack those beyond the strip
    const at::Tensor own = h.narrow(2, top, below - top), seen = edge > 0 ? at::cat({above, own}, 2) : own;
    if (end < height) above = h.narrow(2, end - 2, 2).clone();
    at::Tensor wide = at::conv2d(seen, weight, bias, /*stride=*/1, /*padding=*/1)
                          .narrow(2, edge, std::min(end + 1, height) - top + edge);
    h.narrow(2, top, end - top).add_(narrow.forward(wide.relu_()).narrow(2, edge, end - top));
  }
}

const NetworkEntry& network_entry_sr_resnet() {
  static const NetworkEntry entry = make_component<Network, SrResnet, SrResnetConfig>(
      "sr_resnet", "residual network on the grid of the small image, for super-resolution");
  return entry;
}

}  // namespace reseda::nets
