#pragma once

#include <string>
#include <vector>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/image_shape.hpp"

namespace reseda::inverse {

struct HdrConfig {
  std::vector<std::int64_t> image = kDefaultImage;
  double gain = 2.0;
  template <class V>
  void fields(V& v) {
    v("image", image, kImageHelp);
    v("gain", gain, "on the contrast before it is cut off");
  }
  void validate() const;
};

/// Contrast beyond the range is lost: H(x) = clamp(g x, -1, 1); shadows and lights clip alike. pseudo_inverse() gives
/// y / g, for which H(H^+ y) = y where |y| <= 1. Deterministic.
/// Official: NVlabs/RED-diff, utils/degredations.py (HDR).
class Hdr final : public ForwardOperator {
 public:
  explicit Hdr(const HdrConfig& config);
  at::Tensor apply(const at::Tensor& x) const override;
  bool is_linear() const override { return false; }
  at::Tensor pseudo_inverse(const at::Tensor& y) const override;

 private:
  ImageShape shape_;
  double gain_;
};

}  // namespace reseda::inverse
