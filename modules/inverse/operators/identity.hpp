#pragma once

#include <string>
#include <vector>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/image_shape.hpp"

namespace reseda::inverse {

struct IdentityConfig {
  std::vector<std::int64_t> image = kDefaultImage;
  template <class V>
  void fields(V& v) {
    v("image", image, kImageHelp);
  }
};

/// H = I: denoising. Its own adjoint and inverse; singular values 1. Deterministic.
class Identity final : public ForwardOperator, private SpectralForm {
 public:
  explicit Identity(const IdentityConfig& config) : shape_(config.image) {}
  at::Tensor apply(const at::Tensor& x) const override;
  at::Tensor adjoint(const at::Tensor& y) const override;
  at::Tensor pseudo_inverse(const at::Tensor& y) const override;
  const SpectralForm* spectral() const override { return this; }

 private:
  at::Tensor v(const at::Tensor& coefficients) const override;
  at::Tensor vt(const at::Tensor& x) const override;
  at::Tensor u(const at::Tensor& coefficients) const override { return v(coefficients); }
  at::Tensor ut(const at::Tensor& y) const override { return vt(y); }
  at::Tensor singulars() const override;
  ImageShape shape_;
};

}  // namespace reseda::inverse
