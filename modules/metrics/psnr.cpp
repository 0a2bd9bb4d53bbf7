#include "modules/metrics/psnr.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"
#include "modules/metrics/image_pair.hpp"

namespace reseda::metrics {
namespace {

double mean_square_error(const ImagePair& pair) {
  return (pair.estimate - pair.reference).square_().mean().item<double>();
}

}  // namespace

double psnr(const at::Tensor& reference, const at::Tensor& estimate, double data_range) {
  constexpr double kFloor = 1e-12;
  RESEDA_REQUIRE(data_range > 0 && std::isfinite(data_range), Errc::kInput, "psnr: data range must be > 0, got ",
                 data_range);
  const double mse = mean_square_error(image_pair(reference, estimate, "psnr"));
  return 10.0 * std::log10(data_range * data_range / (mse < kFloor ? kFloor : mse));
}

double rmse(const at::Tensor& reference, const at::Tensor& estimate) {
  return std::sqrt(mean_square_error(image_pair(reference, estimate, "rmse")));
}

double mean_error(const at::Tensor& reference, const at::Tensor& estimate) {
  const ImagePair pair = image_pair(reference, estimate, "mean_error");
  return (pair.estimate - pair.reference).mean().item<double>();
}

}  // namespace reseda::metrics
