#include "modules/nets/fused_sr_resnet.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>

#include "modules/core/error.hpp"
#include "modules/core/parallel.hpp"
#include "modules/nets/sr_resnet.hpp"

namespace reseda::nets {
namespace {

constexpr std::int64_t kLanes = 16;          // channels of a result come in groups of these
constexpr std::int64_t kGroupPixels = 4096;  // of the images that go through the network together on one thread

std::int64_t padded(std::int64_t channels) { return (channels + kLanes - 1) / kLanes * kLanes; }

/// The convolution with output channels of zeros up to a multiple of 16.
kernels::FusedConv fused(const SrConv& conv) {
  const std::int64_t out = conv.weight.size(0), more = padded(out) - out;
  const at::Tensor weight = at::constant_pad_nd(conv.weight.detach(), {0, 0, 0, 0, 0, 0, 0, more}).contiguous(),
                   bias = at::constant_pad_nd(conv.bias.detach(), {0, more}).contiguous();
  const auto values = [](const at::Tensor& t) {
    return std::vector<float>(t.data_ptr<float>(), t.data_ptr<float>() + t.numel());
  };
  return kernels::FusedConv(
      {.weight = values(weight), .bias = values(bias), .in = weight.size(1), .out = weight.size(0)});
}

}  // namespace

/// Maps of a group of images, and a thread's working memory.
struct FusedSrResnet::Workspace {
  Workspace(std::int64_t count, std::int64_t height, std::int64_t width, const FusedSrResnet& net)
      : images(count, height, width, net.in_),
        state(count, height, width, net.channels_),
        inner(count, height, width, net.wide_),
        out(count, height, width, padded(net.out_)) {}

  kernels::BorderedMaps images, state, inner, out;
  kernels::ConvScratch scratch;
};

bool FusedSrResnet::takes(const SrConvs& convs, const at::Tensor& x) {
  const auto fits = [](const SrConv& conv) { return conv.weight.size(0) % kLanes == 0; };
  return kernels::FusedConv::supported() && x.device().is_cpu() && x.scalar_type() == at::kFloat &&
         x.size(2) * x.size(3) <= kMostPixels && fits(convs.first) && fits(convs.widen.front());
}

bool FusedSrResnet::stands_for(const Network& network, std::int64_t height, std::int64_t width) {
  const auto* found = dynamic_cast<const SrResnet*>(&network);
  return found != nullptr && kernels::FusedConv::supported() && network.compute_type() == at::kFloat &&
         network.tensors().front().second.device().is_cpu() && height * width <= kMostPixels &&
         found->config().channels % kLanes == 0;
}

FusedSrResnet::FusedSrResnet(const SrConvs& convs)
    : first_(fused(convs.first)),
      last_(fused(convs.last)),
      skip_(fused(convs.skip)),
      in_(convs.first.weight.size(1)),
      channels_(convs.first.weight.size(0)),
      out_(convs.last.weight.size(0)) {
  RESEDA_INVARIANT(channels_ % kLanes == 0);
  for (std::size_t i = 0; i < convs.widen.size(); ++i) {
    wide_ = convs.widen[i].weight.size(0);
    RESEDA_INVARIANT(wide_ % kLanes == 0);
    widen_.push_back(fused(convs.widen[i]));
    narrow_.push_back(fused(convs.narrow[i]));
  }
}

at::Tensor FusedSrResnet::forward(const at::Tensor& x) const {
  const at::Tensor images = x.contiguous();
  const std::int64_t count = x.size(0), height = x.size(2), width = x.size(3), pixels = height * width;
  at::Tensor out = at::empty({count, out_, height, width}, x.options().memory_format(at::MemoryFormat::Contiguous));
  const float* from = images.data_ptr<float>();
  auto* to = out.data_ptr<float>();
  const std::int64_t most = std::max<std::int64_t>(1, kGroupPixels / pixels);
  parallel_for(0, (count + most - 1) / most, 1, [&](std::int64_t begin, std::int64_t end) {
    std::unique_ptr<Workspace> space;
    for (std::int64_t first = begin * most; first < std::min(end * most, count); first += most) {
      const std::int64_t group = std::min(most, count - first);
      if (!space || space->images.count != group) space = std::make_unique<Workspace>(group, height, width, *this);
      space->images.take(from + first * in_ * pixels);
      run(*space);
      space->out.give(to + first * out_ * pixels, out_);
    }
  });
  return out;
}

void FusedSrResnet::run(Workspace& space) const {
  first_->run(space.images, space.state, {}, space.scratch);
  for (std::size_t i = 0; i < widen_.size(); ++i) {
    widen_[i].run(space.state, space.inner, {.relu = true}, space.scratch);
    narrow_[i].run(space.inner, space.state, {.add = &space.state}, space.scratch);
  }
  skip_->run(space.images, space.out, {}, space.scratch);
  last_->run(space.state, space.out, {.add = &space.out}, space.scratch);
}

}  // namespace reseda::nets
