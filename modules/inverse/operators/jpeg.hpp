#pragma once

#include <string>
#include <vector>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/image_shape.hpp"
#include "modules/inverse/operators/straight_through.hpp"

namespace reseda::inverse {

struct JpegConfig {
  std::vector<std::int64_t> image = kDefaultImage;
  std::int64_t quality = 10;
  bool straight_through = true;
  template <class V>
  void fields(V& v) {
    v("image", image, kImageHelp);
    v("quality", quality, "1 .. 100");
    v("straight_through", straight_through, kStraightThroughHelp);
  }
  void validate() const;
};

/// JPEG coding and decoding of a colour image: [-1, 1] -> [0, 255], YCbCr, every second chroma sample of each axis (no
/// averaging), orthonormal DCT of 8 x 8 blocks around 128, divided by libjpeg's tables, rounded; and back, chroma
/// repeated, not clamped. pseudo_inverse() gives y. Deterministic.
/// Source: ITU-T T.81 (1992), Annex K. Official: NVlabs/RED-diff, utils/jpeg_torch.py.
class Jpeg final : public ForwardOperator {
 public:
  /// @throws Error{kUsage} unless the image has 3 channels and sides that are multiples of 16
  explicit Jpeg(const JpegConfig& config);
  at::Tensor apply(const at::Tensor& x) const override;
  bool is_linear() const override { return false; }
  at::Tensor pseudo_inverse(const at::Tensor& y) const override;
  bool has_pseudo_inverse() const override { return false; }

  /// Rounded coefficients: luma [B,1,H,W] and chroma [B,2,H/2,W/2], each block in place.
  struct Coefficients {
    at::Tensor luma, chroma;
  };
  Coefficients encode(const at::Tensor& x) const;
  at::Tensor decode(const Coefficients& coefficients) const;

 private:
  at::Tensor quantised(const at::Tensor& planes, const at::Tensor& table) const;

  ImageShape shape_;
  bool straight_through_;
  at::Tensor luma_table_, chroma_table_;  ///< [8,8] float64
};

}  // namespace reseda::inverse
