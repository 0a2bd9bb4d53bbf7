#pragma once

#include <string>
#include <vector>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/kspace_mask.hpp"
#include "modules/inverse/operators/image_shape.hpp"

namespace reseda::inverse {

struct MriConfig {
  std::vector<std::int64_t> image = kDefaultImage;
  std::string values = "real";
  std::string origin = "centre";
  std::string adjoint = "exact";
  std::int64_t coils = 1;
  KspaceMaskConfig mask;
  template <class V>
  void fields(V& v) {
    v("image", image, kImageHelp);
    v("values", values,
      "of the image: real; complex; pairs: two real channels, real and imaginary part, for networks without complex "
      "numbers");
    v("origin", origin,
      "of the image: centre (orthonormal transform, fastMRI), or corner (not normalised, score-MRI's scripts for one "
      "coil)");
    v("adjoint", adjoint, "exact, or inverse: the inverse transform in its place, as official code has it for corner");
    v("coils", coils, "coils of the simulated array around the image; 1 is none. Measured maps replace it");
    v("mask", mask, "which samples of the spectrum are taken");
  }
  void validate() const;
};

/// Cartesian magnetic resonance imaging, y_c = M F (S_c x): coil sensitivities S_c, Fourier transform F, mask M of 0
/// and 1. y is [B,C,H,W] complex without maps, where each channel is measured alone, and [B,coils,H,W] with them, for
/// images of one channel (or one pair). H^* y = sum_c conj(S_c) F^*(M y_c), its real part for real images.
/// Without maps H^+ is exact: F^{-1} M y, or for real images the solution of least norm, in which a sample counts twice
/// whose mirror image is missing. With maps the zero-filled combination sum_c conj(S_c) F^{-1} M y_c stands in for it;
/// least_squares() is CG-SENSE. |H| <= 1 for an origin in the centre and sum_c |S_c|^2 <= 1. Deterministic.
/// Spectral form: pairs without maps and with one mask; singular values 1, or sqrt(H W) for an origin in the corner.
/// Coefficients: real parts of the samples that are taken, by channel, then the imaginary ones; then the same of those
/// that are not.
/// Quirk: adjoint = inverse is F^{-1} in place of F^*, which differ where F is not orthonormal; vjp() stays exact.
/// Source: Pruessmann et al. 1999, "SENSE: Sensitivity Encoding for Fast MRI". Official: hyungjin-chung/score-MRI,
/// sampling.py, utils.py.
class Mri final : public ForwardOperator, private SpectralForm {
 public:
  /// Simulated sensitivities (birdcage_maps) where config.coils > 1, and the config's mask.
  explicit Mri(const MriConfig& config);
  /// @param mask  [H,W], or [B,1,H,W] with a mask per item; 0 and 1
  /// @param maps  [coils,H,W] or [B,coils,H,W], complex; undefined: none
  Mri(const MriConfig& config, const at::Tensor& mask, const at::Tensor& maps);

  at::Tensor apply(const at::Tensor& x) const override;
  at::Tensor adjoint(const at::Tensor& y) const override;
  at::Tensor pseudo_inverse(const at::Tensor& y) const override;
  bool has_pseudo_inverse() const override { return !maps_.defined(); }
  at::Tensor vjp(const at::Tensor& x, const at::Tensor& v) const override;
  const SpectralForm* spectral() const override;

  const at::Tensor& mask() const { return mask_; }  ///< [1 or B,1,H,W] float32
  const at::Tensor& maps() const { return maps_; }  ///< [1 or B,coils,H,W] complex64, or undefined
  /// M F of coil images [B,coils,H,W], complex: the operator without its maps. And F^{-1} M.
  at::Tensor sample(const at::Tensor& images) const;
  at::Tensor zero_filled(const at::Tensor& y) const;

 private:
  at::Tensor v(const at::Tensor& coefficients) const override;
  at::Tensor vt(const at::Tensor& x) const override;
  at::Tensor u(const at::Tensor& coefficients) const override;
  at::Tensor ut(const at::Tensor& y) const override;
  at::Tensor singulars() const override;

  at::Tensor to_complex(const at::Tensor& x) const;
  at::Tensor from_complex(const at::Tensor& x) const;
  at::Tensor transform(const at::Tensor& image) const;
  at::Tensor inverse_transform(const at::Tensor& spectrum) const;
  /// scale * sum_c conj(S_c) F^{-1} M y_c as an image
  at::Tensor back(const at::Tensor& y, double scale) const;
  /// F^* = square_norm() F^{-1}
  double square_norm() const { return config_.origin == "centre" ? 1.0 : static_cast<double>(shape_.pixels()); }
  std::int64_t spectra() const;
  void require_spectrum(const at::Tensor& y) const;

  MriConfig config_;
  ImageShape shape_;
  at::Tensor mask_, maps_;
  at::Tensor order_;  ///< of the flat spectra of one item: the samples that are taken, then the others
  std::int64_t taken_ = 0;
};

}  // namespace reseda::inverse
