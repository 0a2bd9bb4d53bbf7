#include "modules/metrics/ssim.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/metrics/image_pair.hpp"

namespace reseda::metrics {
namespace {

void validate(const SsimConfig& config) {
  RESEDA_REQUIRE(config.size >= 3 && config.size % 2 == 1, Errc::kUsage, "ssim: window size must be odd and >= 3, got ",
                 config.size);
  RESEDA_REQUIRE(config.sigma > 0, Errc::kUsage, "ssim: sigma must be > 0, got ", config.sigma);
  RESEDA_REQUIRE(config.k1 >= 0 && config.k2 >= 0, Errc::kUsage, "ssim: k1 and k2 must be >= 0, got ", config.k1,
                 " and ", config.k2);
}

/// Weights along one axis, [size], sum 1.
std::vector<double> axis_weights(const SsimConfig& config) {
  std::vector<double> weights(static_cast<std::size_t>(config.size), 1.0);
  double sum = 0.0;
  for (std::int64_t k = 0; k < config.size; ++k) {
    double& weight = weights[static_cast<std::size_t>(k)];
    const double d = static_cast<double>(k - config.size / 2) / config.sigma;
    if (config.window == SsimWindow::kGaussian) weight = std::exp(-0.5 * d * d);
    sum += weight;
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

/// Weighted mean over the window at each place where it fits.
at::Tensor windowed_mean(at::Tensor image, const std::vector<double>& weights) {
  const auto size = static_cast<std::int64_t>(weights.size());
  for (const std::int64_t dim : {-1, -2}) {
    const std::int64_t places = image.size(dim) - size + 1;
    at::Tensor sum = image.narrow(dim, 0, places) * weights[0];
    for (std::int64_t k = 1; k < size; ++k) {
      sum.add_(image.narrow(dim, k, places), weights[static_cast<std::size_t>(k)]);
    }
    image = std::move(sum);
  }
  return image;
}

double ssim_of_one(const at::Tensor& x, const at::Tensor& y, double data_range, const SsimConfig& config) {
  const std::vector<double> weights = axis_weights(config);
  const auto pixels = static_cast<double>(config.size * config.size);
  const double scale = config.covariance == SsimCovariance::kSample ? pixels / (pixels - 1.0) : 1.0;
  const double c1 = std::pow(config.k1 * data_range, 2), c2 = std::pow(config.k2 * data_range, 2);
  const at::Tensor mx = windowed_mean(x, weights), my = windowed_mean(y, weights);
  const at::Tensor sxx = scale * (windowed_mean(x * x, weights) - mx * mx);
  const at::Tensor syy = scale * (windowed_mean(y * y, weights) - my * my);
  const at::Tensor sxy = scale * (windowed_mean(x * y, weights) - mx * my);
  const at::Tensor luminance = (2.0 * mx * my + c1) / (mx * mx + my * my + c1);
  const at::Tensor contrast = (2.0 * sxy + c2) / (sxx + syy + c2);
  return (luminance * (config.clip_contrast ? contrast.clamp_min(0.0) : contrast)).mean().item<double>();
}

}  // namespace

double ssim(const at::Tensor& reference, const at::Tensor& estimate, double data_range, const SsimConfig& config) {
  validate(config);
  RESEDA_REQUIRE(data_range > 0 && std::isfinite(data_range), Errc::kInput, "ssim: data range must be > 0, got ",
                 data_range);
  const ImagePair pair = image_pair(reference, estimate, "ssim");
  RESEDA_REQUIRE(reference.dim() >= 2 && reference.size(-1) >= config.size && reference.size(-2) >= config.size,
                 Errc::kInput, "ssim: an image of ", reference.sizes(), " is smaller than the window of ", config.size,
                 " x ", config.size, " pixels");
  const std::int64_t height = reference.size(-2), width = reference.size(-1);
  const at::Tensor x = pair.reference.view({-1, height, width}), y = pair.estimate.view({-1, height, width});
  double sum = 0.0;
  for (std::int64_t n = 0; n < x.size(0); ++n) sum += ssim_of_one(x[n], y[n], data_range, config);
  return sum / static_cast<double>(x.size(0));
}

}  // namespace reseda::metrics
