#include "modules/nets/frozen_resnet.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>
#include <string>

#include "modules/core/error.hpp"
#include "modules/core/parallel.hpp"
#include "modules/nets/cifar_resnet.hpp"

namespace reseda::nets {
namespace {

constexpr double kEps = 1e-5;  // of nn::BatchNorm
/// Images that go through the network together on one thread: their maps stay in the last cache, and the weights of the
/// last stage, which do not stay in the second, serve all of them. In pixels, so that large images go one by one.
constexpr std::int64_t kGroupPixels = 16 * 32 * 32, kMostInGroup = 16;

StateDict weights_of(const Network& network) {
  StateDict out;
  for (const auto& [name, tensor] : network.tensors()) out.add(name, tensor.detach().to(at::kDouble));
  return out;
}

std::vector<float> floats(const at::Tensor& tensor) {
  const at::Tensor whole = tensor.to(at::kFloat).contiguous();
  return {whole.data_ptr<float>(), whole.data_ptr<float>() + whole.numel()};
}

kernels::FusedConv folded(const StateDict& weights, const std::string& conv, const std::string& norm,
                          std::int64_t stride) {
  const at::Tensor& w = weights.at(conv + ".weight");
  const at::Tensor scale = weights.at(norm + ".weight") / (weights.at(norm + ".running_var") + kEps).sqrt();
  const at::Tensor bias = weights.at(norm + ".bias") - weights.at(norm + ".running_mean") * scale;
  return kernels::FusedConv({.weight = floats(w * scale.view({-1, 1, 1, 1})),
                             .bias = floats(bias),
                             .in = w.size(1),
                             .out = w.size(0),
                             .kernel = w.size(2),
                             .stride = stride});
}

}  // namespace

/// Maps of a group of images at the size of each stage, and a thread's working memory.
struct FrozenResnet::Workspace {
  Workspace(const std::vector<Stage>& stages, std::int64_t count, std::int64_t channels, std::int64_t height,
            std::int64_t width)
      : images(count, height, width, channels) {
    for (const Stage& stage : stages) {
      height = (height + stage.stride - 1) / stage.stride;
      width = (width + stage.stride - 1) / stage.stride;
      state.emplace_back(count, height, width, stage.channels);
      inner.emplace_back(count, height, width, stage.channels);
    }
  }

  kernels::BorderedMaps images;
  std::vector<kernels::BorderedMaps> state, inner;
  kernels::ConvScratch scratch;
};

bool FrozenResnet::takes(const Network& network) {
  return kernels::FusedConv::supported() && network.compute_type() == at::kFloat &&
         dynamic_cast<const CifarResnet*>(&network) != nullptr && network.tensors().front().second.device().is_cpu();
}

FrozenResnet::FrozenResnet(const Network& network) {
  RESEDA_INVARIANT(takes(network));
  const StateDict weights = weights_of(network);
  stem_ = folded(weights, "conv1", "bn1", 1);
  in_channels_ = weights.at("conv1.weight").size(1);
  for (int s = 0; s < 3; ++s) {
    Stage stage = {{}, 0, s == 0 ? 1 : 2};
    const std::string layer = "layer" + std::to_string(s + 1) + ".";
    for (int b = 0; weights.contains(layer + std::to_string(b) + ".conv1.weight"); ++b) {
      const std::string block = layer + std::to_string(b) + ".";
      const std::int64_t stride = b == 0 ? stage.stride : 1;
      stage.blocks.push_back({folded(weights, block + "conv1", block + "bn1", stride),
                              folded(weights, block + "conv2", block + "bn2", 1), std::nullopt});
      if (weights.contains(block + "downsample.0.weight"))
        stage.blocks.back().shortcut = folded(weights, block + "downsample.0", block + "downsample.1", stride);
    }
    stage.channels = weights.at(layer + "0.conv1.weight").size(0);
    stages_.push_back(std::move(stage));
  }
  fc_weight_ = weights.at("fc.weight").contiguous();
  fc_bias_ = weights.at("fc.bias").contiguous();
}

at::Tensor FrozenResnet::forward(const at::Tensor& x) const {
  RESEDA_REQUIRE(x.dim() == 4 && x.size(1) == in_channels_ && x.scalar_type() == at::kFloat, Errc::kUsage,
                 "network: images must be float32 [B,", in_channels_, ",H,W], got ", x.sizes());
  const at::Tensor images = x.contiguous();
  const std::int64_t count = x.size(0), height = x.size(2), width = x.size(3), classes = fc_bias_.size(0);
  at::Tensor out = at::empty({count, classes}, x.options());
  const float* from = images.data_ptr<float>();
  float* to = out.data_ptr<float>();
  const std::int64_t most = std::clamp<std::int64_t>(kGroupPixels / (height * width), 1, kMostInGroup);
  parallel_for(0, (count + most - 1) / most, 1, [&](std::int64_t begin, std::int64_t end) {
    std::unique_ptr<Workspace> space;
    for (std::int64_t first = begin * most; first < std::min(end * most, count); first += most) {
      const std::int64_t group = std::min(most, count - first);
      if (!space || space->images.count != group)
        space = std::make_unique<Workspace>(stages_, group, in_channels_, height, width);
      logits(from + first * in_channels_ * height * width, to + first * classes, *space);
    }
  });
  return out;
}

/// @param x  [group,C,H,W]   @param out  [group,classes]
void FrozenResnet::logits(const float* x, float* out, Workspace& space) const {
  space.images.take(x);
  stem_->run(space.images, space.state[0], {.relu = true}, space.scratch);
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    kernels::BorderedMaps &state = space.state[s], &inner = space.inner[s];
    for (const Block& block : stages_[s].blocks) {
      const kernels::BorderedMaps& before = block.shortcut ? space.state[s - 1] : state;
      block.first.run(before, inner, {.relu = true}, space.scratch);
      if (block.shortcut) block.shortcut->run(before, state, {}, space.scratch);
      block.second.run(inner, state, {.add = &state, .relu = true}, space.scratch);
    }
  }

  const kernels::BorderedMaps& last = space.state.back();
  const auto* weight = fc_weight_.data_ptr<double>();
  const auto* bias = fc_bias_.data_ptr<double>();
  const auto area = static_cast<double>(last.height * last.width);
  std::vector<double> mean(static_cast<std::size_t>(last.channels));
  for (std::int64_t n = 0; n < last.count; ++n) {
    std::fill(mean.begin(), mean.end(), 0.0);
    for (std::int64_t row = 0; row < last.height; ++row)
      for (std::int64_t column = 0; column < last.width; ++column)
        for (std::int64_t c = 0; c < last.channels; ++c)
          mean[static_cast<std::size_t>(c)] += static_cast<double>(last.pixel(n, row, column)[c]) / area;
    for (std::int64_t k = 0; k < fc_bias_.size(0); ++k) {
      double sum = bias[k];
      for (std::int64_t c = 0; c < last.channels; ++c)
        sum += weight[k * last.channels + c] * mean[static_cast<std::size_t>(c)];
      *out++ = static_cast<float>(sum);
    }
  }
}

}  // namespace reseda::nets
