#include "pipelines/certify/denoised_smoothing.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "modules/core/error.hpp"

namespace reseda::certify {

std::int64_t matching_step(const diffusion::Ddpm& process, double sigma) {
  const at::Tensor kept = process.schedule().alphas_cumprod;
  const auto* product = kept.data_ptr<double>();
  for (std::int64_t i = 1; i < kept.numel(); ++i)
    if (std::sqrt(1 - product[i]) / std::sqrt(product[i]) >= 2 * sigma) return i;
  RESEDA_REQUIRE(false, Errc::kUsage, "smoothing.sigma ", sigma, " is more than the diffusion's largest noise");
  return 0;
}

DenoisedSmoothing::DenoisedSmoothing(const diffusion::Denoiser& denoiser, const diffusion::Ddpm& process, double sigma,
                                     std::int64_t size)
    : denoiser_(denoiser), process_(process), step_(matching_step(process, sigma)), size_(size) {}

Smoother DenoisedSmoothing::smoother(NoiseSource& noise) const {
  return [this, &noise](const at::Tensor& image, const DrawKey& key, std::int64_t count) {
    std::vector<std::int64_t> shape = image.sizes().vec();
    shape.insert(shape.begin(), count);
    return process_.at(time()).sample(2 * image - 1, {}, noise.normal(key, shape));
  };
}

at::Tensor DenoisedSmoothing::denoised(const at::Tensor& x_t) const {
  return denoiser_(x_t, time(), {}).x0.clamp(-1, 1);
}

at::Tensor DenoisedSmoothing::shown(const at::Tensor& x_t) const {
  return at::_upsample_bicubic2d_aa(denoised(x_t), {size_, size_}, /*align_corners=*/false);
}

}  // namespace reseda::certify
