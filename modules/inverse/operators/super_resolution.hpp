#pragma once

#include <string>
#include <vector>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/image_shape.hpp"
#include "modules/inverse/operators/row_basis.hpp"

namespace reseda::inverse {

struct SuperResolutionConfig {
  std::vector<std::int64_t> image = kDefaultImage;
  std::int64_t factor = 4;
  template <class V>
  void fields(V& v) {
    v("image", image, kImageHelp);
    v("factor", factor, "side of the blocks that are averaged; divides height and width");
  }
};

/// Averages blocks of r x r pixels, (H x)[i,j] = sum_{a,b < r} x[r i + a, r j + b] / r^2 per channel; y is
/// [B,C,H/r,W/r]. H^* y = H^+ y / r^2, and H^+ repeats each value over its block. Deterministic.
/// Singular values 1/r. Coefficients: the blocks' means times r (times the basis' sign), [C,H/r,W/r]; then for each
/// block the r^2 - 1 others.
/// Source: Kawar et al. 2022, "Denoising Diffusion Restoration Models", App. D. Official: NVlabs/RED-diff,
/// utils/degredations.py (SuperResolution).
class SuperResolution final : public ForwardOperator, private SpectralForm {
 public:
  /// @param basis  [r^2,r^2] of the pixels of a block, row by row, as RowBasis takes it; by default its own
  /// @throws Error{kUsage} unless the factor divides both sides
  explicit SuperResolution(const SuperResolutionConfig& config, const at::Tensor& basis = {});
  at::Tensor apply(const at::Tensor& x) const override;
  at::Tensor adjoint(const at::Tensor& y) const override;
  at::Tensor pseudo_inverse(const at::Tensor& y) const override;
  const SpectralForm* spectral() const override { return this; }

 private:
  at::Tensor v(const at::Tensor& coefficients) const override;
  at::Tensor vt(const at::Tensor& x) const override;
  at::Tensor u(const at::Tensor& coefficients) const override;
  at::Tensor ut(const at::Tensor& y) const override;
  at::Tensor singulars() const override;
  std::vector<std::int64_t> measurement() const {
    return {shape_.channels, shape_.height / factor_, shape_.width / factor_};
  }

  ImageShape shape_;
  std::int64_t factor_, blocks_;
  RowBasis basis_;
};

}  // namespace reseda::inverse
