#include "modules/metrics/image_pair.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::metrics {

ImagePair image_pair(const at::Tensor& reference, const at::Tensor& estimate, const char* metric) {
  for (const at::Tensor* image : {&reference, &estimate}) {
    RESEDA_REQUIRE(!image->is_complex(), Errc::kInput, metric, ": an image must be real, got ", image->toString());
  }
  RESEDA_REQUIRE(reference.sizes() == estimate.sizes(), Errc::kInput, metric, ": both images must have one shape, got ",
                 reference.sizes(), " and ", estimate.sizes());
  RESEDA_REQUIRE(reference.numel() > 0, Errc::kInput, metric, ": the images are empty");
  const auto options = at::TensorOptions().dtype(at::kDouble).device(at::kCPU);
  return {reference.detach().to(options).contiguous(), estimate.detach().to(options).contiguous()};
}

at::Tensor without_border(const at::Tensor& image, std::int64_t border) {
  RESEDA_REQUIRE(image.dim() >= 2 && border >= 0 && image.size(-1) > 2 * border && image.size(-2) > 2 * border,
                 Errc::kInput, "without_border: an image of ", image.sizes(), " has no border of ", border, " pixels");
  return image.slice(-2, border, image.size(-2) - border).slice(-1, border, image.size(-1) - border);
}

}  // namespace reseda::metrics
