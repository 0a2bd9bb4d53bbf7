#pragma once

#include <string>
#include <vector>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/image_shape.hpp"
#include "modules/inverse/operators/row_basis.hpp"

namespace reseda::inverse {

struct ColouriseConfig {
  std::vector<std::int64_t> image = kDefaultImage;
  std::vector<double> weights = {0.3333, 0.3334, 0.3333};
  template <class V>
  void fields(V& v) {
    v("image", image, kImageHelp);
    v("weights", weights, "of the channels in the grey value");
  }
};

/// The grey value of each pixel, H x = sum_c w_c x_c; y is [B,1,H,W]. H^* y = w y, H^+ y = w y / |w|^2. Deterministic.
/// Singular values |w|. Coefficients [C,H,W]: channel 0 holds the grey values over |w| (times the basis' sign).
/// Official: NVlabs/RED-diff, utils/degredations.py (Colorization).
class Colourise final : public ForwardOperator, private SpectralForm {
 public:
  /// @param basis  [C,C] of the channels of a pixel as RowBasis takes it; by default its own
  /// @throws Error{kUsage} unless there is one weight per channel, not all of them zero
  explicit Colourise(const ColouriseConfig& config, const at::Tensor& basis = {});
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

  ImageShape shape_;
  at::Tensor weights_;  ///< [C,1,1] float64
  RowBasis basis_;
};

}  // namespace reseda::inverse
