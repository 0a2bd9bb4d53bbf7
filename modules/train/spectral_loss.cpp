#include "modules/train/spectral_loss.hpp"

#include <ATen/ATen.h>

namespace reseda::train {
namespace {

constexpr double kLeastDeviation = 1e-8;

at::Tensor standardised_spectrum(const at::Tensor& image) {
  const at::Tensor magnitude = at::log1p(at::fft_fft2(image).abs());
  return (magnitude - magnitude.mean()) / (magnitude.std() + kLeastDeviation);
}

}  // namespace

at::Tensor spectral_loss(const at::Tensor& a, const at::Tensor& b) {
  return at::mse_loss(standardised_spectrum(a), standardised_spectrum(b));
}

at::Tensor feature_loss(const at::Tensor& a, const at::Tensor& b, const std::vector<FeatureCall>& networks) {
  at::Tensor sum = at::zeros({}, a.options());
  for (const FeatureCall& network : networks) sum = sum + at::mse_loss(network(a), network(b));
  return sum;
}

}  // namespace reseda::train
