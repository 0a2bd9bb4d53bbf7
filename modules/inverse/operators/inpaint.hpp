#pragma once

#include <memory>
#include <string>
#include <vector>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/image_shape.hpp"
#include "modules/inverse/operators/mask.hpp"

namespace reseda::inverse {

struct InpaintConfig {
  std::vector<std::int64_t> image = kDefaultImage;
  MaskConfig mask;
  bool packed = false;
  template <class V>
  void fields(V& v) {
    v("image", image, kImageHelp);
    v("mask", mask, "which pixels are missing");
    v("packed", packed, "the measurement holds the measured values only instead of zeros at missing pixels");
  }
};

/// Keeps the measured values: H x = m x, of the image's shape, or packed: the values where m = 1 in the order [C,H,W],
/// [B,M]. H^* = H^+: zeros at missing values. Deterministic.
/// A stack of N masks binds the operator to batches of N items, item b has mask b; it has no spectral form.
/// Spectral form of one mask: coefficients are the values themselves, singular values m; packed: the measured ones come
/// first, singular values 1.
/// Official: NVlabs/RED-diff, utils/degredations.py (Inpainting2 "in2", packed: Inpainting "inp").
class Inpaint final : public ForwardOperator {
 public:
  explicit Inpaint(const InpaintConfig& config);
  /// @param mask  [C,H,W], [1,H,W] or a stack [N,C,H,W] of zeros and ones
  /// @throws Error{kUsage} on another shape or other values, where nothing is measured, and, packed, where the masks of
  ///         a stack keep different numbers of values
  Inpaint(at::IntArrayRef image, const at::Tensor& mask, bool packed);
  ~Inpaint() override;
  at::Tensor apply(const at::Tensor& x) const override;
  at::Tensor adjoint(const at::Tensor& y) const override;
  at::Tensor pseudo_inverse(const at::Tensor& y) const override { return adjoint(y); }
  const SpectralForm* spectral() const override;
  /// [N,C,H,W] float64, N = 1 where every item has the same mask.
  const at::Tensor& mask() const { return mask_; }

 private:
  class Form;
  void require_items(std::int64_t items) const;

  ImageShape shape_;
  at::Tensor mask_;
  at::Tensor kept_;  ///< packed: [N,M] places of the measured values
  std::unique_ptr<Form> form_;
};

}  // namespace reseda::inverse
