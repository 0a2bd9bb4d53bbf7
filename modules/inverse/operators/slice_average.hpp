#pragma once

#include <string>
#include <vector>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/image_shape.hpp"

namespace reseda::inverse {

struct SliceAverageConfig {
  std::vector<std::int64_t> image = kDefaultImage;
  std::int64_t factor = 2;
  std::string profile = "box";
  double thickness = 1.0;
  template <class V>
  void fields(V& v) {
    v("image", image, kImageHelp);
    v("factor", factor, "thin slices for each thick one");
    v("profile", profile, "of a thick slice: box, or gaussian, whose width at half height is the thickness");
    v("thickness", thickness, "of a thick slice, in distances between thick slices: below 1 gaps, above 1 overlap");
  }
  void validate() const;
};

/// Thick slices of a volume of thin ones, y_k = sum_j w_kj x_j along the channel axis, which holds the slices:
/// y is [B,ceil(C/factor),H,W]. With z = j - (factor k + (factor - 1) / 2) and T = thickness * factor,
///   box       w ~ length of [z - 1/2, z + 1/2] inside [-T/2, T/2]
///   gaussian  w ~ 2^{-(2 z / T)^2}
/// each row scaled to sum 1, also where slices beyond the ends are missing. H^+ and the spectral form come from the
/// decomposition of W. Coefficients: [C,H,W] by falling singular value. Deterministic.
/// Source: the slice profile of through-plane super-resolution, e.g. Zhao et al. 2021, "SMORE: A Self-Supervised
/// Anti-Aliasing and Super-Resolution Algorithm for MRI Using Deep Learning", Sec. II.
class SliceAverage final : public ForwardOperator, private SpectralForm {
 public:
  explicit SliceAverage(const SliceAverageConfig& config);
  at::Tensor apply(const at::Tensor& x) const override;
  at::Tensor adjoint(const at::Tensor& y) const override;
  at::Tensor pseudo_inverse(const at::Tensor& y) const override;
  const SpectralForm* spectral() const override { return this; }
  const at::Tensor& weights() const { return weights_; }  ///< W, [thick,thin] float64

 private:
  at::Tensor v(const at::Tensor& coefficients) const override;
  at::Tensor vt(const at::Tensor& x) const override;
  at::Tensor u(const at::Tensor& coefficients) const override;
  at::Tensor ut(const at::Tensor& y) const override;
  at::Tensor singulars() const override;
  void require(const at::Tensor& y) const;

  ImageShape shape_;
  at::Tensor weights_, inverse_, left_, singular_, right_;
};

}  // namespace reseda::inverse
