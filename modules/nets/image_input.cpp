#include "modules/nets/image_input.hpp"

#include <ATen/ATen.h>

#include <vector>

#include "modules/core/error.hpp"

namespace reseda::nets {

at::Tensor image_input(const ImageInput& input, const at::Tensor& x, const at::Tensor& y, const at::Tensor& estimate) {
  RESEDA_REQUIRE(x.dim() == 4 && x.is_floating_point(), Errc::kInternal, "network: the state must be real [B,C,H,W]");
  RESEDA_REQUIRE(x.size(1) == input.state_channels, Errc::kUsage, "network.channels is ", input.state_channels,
                 ", but the state has ", x.size(1));
  RESEDA_REQUIRE(x.size(2) % input.multiple == 0 && x.size(3) % input.multiple == 0, Errc::kInternal,
                 "network: height and width must be multiples of ", input.multiple, ", got ", x.size(2), " x ",
                 x.size(3));
  std::vector<at::Tensor> parts;
  RESEDA_REQUIRE(input.self_condition || !estimate.defined(), Errc::kUsage,
                 "network.self_condition is false, but an estimate of x0 is given");
  if (input.self_condition) {
    RESEDA_REQUIRE(!estimate.defined() || estimate.sizes() == x.sizes(), Errc::kInternal,
                   "network: the estimate of x0 must have the shape of the state");
    parts.push_back(estimate.defined() ? estimate : at::zeros_like(x));
  }
  parts.push_back(x);
  if (input.condition_channels > 0) {
    const std::int64_t given = y.defined() && y.dim() == 4 ? y.size(1) : 0;
    RESEDA_REQUIRE(given == input.condition_channels, Errc::kUsage, "network.condition_channels is ",
                   input.condition_channels, ", but the condition has ", given);
    RESEDA_REQUIRE(y.size(0) == x.size(0) && y.size(2) == x.size(2) && y.size(3) == x.size(3), Errc::kInternal,
                   "network: the condition must have the batch, height and width of the state");
    parts.push_back(y);
  }
  return at::cat(parts, 1);
}

at::Tensor in_fast_layout(const at::Tensor& map) {
  const bool trains_on_cpu = at::GradMode::is_enabled() && map.device().is_cpu();
  return map.contiguous(trains_on_cpu ? at::MemoryFormat::Contiguous : at::MemoryFormat::ChannelsLast);
}

void require_times(const at::Tensor& t, const at::Tensor& x) {
  RESEDA_REQUIRE(t.dim() == 1 && t.size(0) == x.size(0), Errc::kInternal, "network: t must be [B]");
}

}  // namespace reseda::nets
