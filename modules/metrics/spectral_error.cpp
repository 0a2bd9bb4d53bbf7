#include "modules/metrics/spectral_error.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "modules/core/error.hpp"
#include "modules/metrics/image_pair.hpp"

namespace reseda::metrics {

double spectral_error(const at::Tensor& reference, const at::Tensor& estimate, double data_range) {
  RESEDA_REQUIRE(data_range > 0 && std::isfinite(data_range), Errc::kInput,
                 "spectral_error: data range must be > 0, got ", data_range);
  const ImagePair pair = image_pair(reference, estimate, "spectral_error");
  RESEDA_REQUIRE(reference.dim() == 2, Errc::kInput, "spectral_error: expected an image [H, W], got ",
                 reference.sizes());
  const auto amplitude = [&](const at::Tensor& image) { return at::fft_fft2(image / data_range).abs().log1p(); };
  const at::Tensor expected = amplitude(pair.reference);
  const double scale = expected.norm().item<double>(),
               error = (amplitude(pair.estimate) - expected).norm().item<double>();
  return scale > 0 ? error / scale : error > 0 ? std::numeric_limits<double>::infinity() : error;
}

}  // namespace reseda::metrics
