#include "modules/train/patch_covariance.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::train {
namespace {

constexpr std::int64_t kPatch = 8;

}  // namespace

at::Tensor patch_covariance_loss(const at::Tensor& noise, double variance) {
  RESEDA_REQUIRE(noise.dim() == 4 && noise.size(2) >= kPatch && noise.size(3) >= kPatch &&
                     noise.size(2) + noise.size(3) > 2 * kPatch,
                 Errc::kInternal, "the covariance of patches needs maps [B,C,H,W] larger than 8 x 8, got ",
                 noise.sizes());
  const at::Tensor patches = at::im2col(noise.flatten(0, 1).unsqueeze(1), {kPatch, kPatch}, {1, 1}, {0, 0}, {1, 1});
  const at::Tensor centred = patches - patches.mean(2, true);  // [B C,64,N]
  const at::Tensor covariance = at::matmul(centred, centred.transpose(1, 2)) / static_cast<double>(centred.size(2) - 1);
  const at::Tensor wanted = at::eye(kPatch * kPatch, noise.options()) * variance;
  return (covariance - wanted).square().mean({1, 2}).view({noise.size(0), noise.size(1)}).sum(1);
}

}  // namespace reseda::train
