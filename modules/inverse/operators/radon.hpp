#pragma once

#include <string>
#include <vector>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/ray_geometry.hpp"

namespace reseda::inverse {

struct RadonConfig {
  std::vector<std::int64_t> image = kDefaultImage;
  RayConfig rays;
  std::string adjoint = "exact";
  std::string filter = "ramp";
  template <class V>
  void fields(V& v) {
    v("image", image, kImageHelp);
    rays.fields(v);
    v("adjoint", adjoint, "exact: the transpose; official: unfiltered back-projection times half the angle of a view");
    v("filter", filter, "of filtered back-projection: ramp, shepp_logan, cosine, hamming, hann");
  }
};

/// Tomography: line integrals of the image, (A x)[k, v] = pixel * sum_tau x(ray(v, k) at tau), with bilinear
/// interpolation, 0 outside, at points one pixel apart. y is [B,C,detectors,views], in mm times the unit of x; each
/// channel is measured alone. A^T is the exact transpose. Filtered back-projection stands in for A^+: for parallel
/// beams f = sum_v dtheta (h * y_v)(s), for fans with the weights of distance and angle. Deterministic.
/// Quirk: adjoint = official interpolates along the detector at each pixel, times pi / (2 V), which is not the
/// transpose of A in shape or size; vjp() stays exact. Parallel beams only.
/// Source: Kak, Slaney 1988, "Principles of Computerized Tomographic Imaging", Ch. 3. Official:
/// hyungjin-chung/DiffusionMBIR, physics/ct.py, physics/radon.
class Radon final : public ForwardOperator {
 public:
  explicit Radon(const RadonConfig& config);
  at::Tensor apply(const at::Tensor& x) const override;
  at::Tensor adjoint(const at::Tensor& y) const override;
  at::Tensor pseudo_inverse(const at::Tensor& y) const override;
  bool has_pseudo_inverse() const override { return false; }
  at::Tensor vjp(const at::Tensor& x, const at::Tensor& v) const override;

 private:
  void require(const at::Tensor& y) const;
  at::Tensor transpose(const at::Tensor& y) const;

  RadonConfig config_;
  ImageShape shape_;
  RayGeometry rays_;
};

}  // namespace reseda::inverse
