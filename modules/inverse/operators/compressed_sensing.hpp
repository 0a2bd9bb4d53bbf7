#pragma once

#include <string>
#include <vector>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/image_shape.hpp"

namespace reseda::inverse {

struct CompressedSensingConfig {
  std::vector<std::int64_t> image = kDefaultImage;
  double ratio = 0.25;
  std::string rows = "random";
  std::int64_t seed = 0;
  template <class V>
  void fields(V& v) {
    v("image", image, kImageHelp);
    v("ratio", ratio, "measurements over pixels, rounded to a whole number of at least 1");
    v("rows", rows, "random: the mean and others drawn without replacement; low: the lowest sequencies");
    v("seed", seed, "of the random rows");
  }
  void validate() const;
};

/// Some coefficients of the Walsh-Hadamard transform of each channel, H x = R (W_h x W_w): y is [B,C,M]. W is
/// orthonormal and in sequency order, R takes M of the H W coefficients: `low` those with the least i / H + j / W. H^*
/// = H^+. Draws: Chooser(seed, "compressed_sensing", "rows"), a shuffle of the coefficients without the mean.
/// Deterministic. Singular values 1. Coefficients: the measured ones [C,M], then the others [C,H W - M] in rising
/// order. Source: Kawar et al. 2022, "Denoising Diffusion Restoration Models", Sec. 5 (there of a shuffled line of
/// pixels).
class CompressedSensing final : public ForwardOperator, private SpectralForm {
 public:
  /// @throws Error{kUsage} unless both sides are powers of two
  explicit CompressedSensing(const CompressedSensingConfig& config);
  at::Tensor apply(const at::Tensor& x) const override;
  at::Tensor adjoint(const at::Tensor& y) const override;
  at::Tensor pseudo_inverse(const at::Tensor& y) const override { return adjoint(y); }
  const SpectralForm* spectral() const override { return this; }

 private:
  at::Tensor v(const at::Tensor& coefficients) const override;
  at::Tensor vt(const at::Tensor& x) const override;
  at::Tensor u(const at::Tensor& coefficients) const override;
  at::Tensor ut(const at::Tensor& y) const override;
  at::Tensor singulars() const override;

  ImageShape shape_;
  at::Tensor order_, places_;  ///< the coefficients i W + j, measured ones first, and the inverse permutation
  std::int64_t measured_;      ///< M
};

}  // namespace reseda::inverse
