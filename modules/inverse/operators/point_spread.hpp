#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace reseda::inverse {

/// A blur kernel by name: [size,size] float64, sum 1, its centre in the middle.
struct PointSpreadConfig {
  std::string kernel = "gaussian";
  std::int64_t size = 9;
  double sigma = 2.0, across = 2.0;
  double length = 7.0;
  double angle = 45.0;
  template <class V>
  void fields(V& v) {
    v("kernel", kernel, "uniform, gaussian, anisotropic or motion");
    v("size", size, "pixels on a side, odd");
    v("sigma", sigma, "gaussian, anisotropic: standard deviation in pixels; the latter's along `angle`");
    v("across", across, "anisotropic: standard deviation across `angle` in pixels");
    v("length", length, "motion: pixels moved during the exposure, at most size - 1");
    v("angle", angle, "anisotropic, motion: degrees from the horizontal, counted towards the bottom");
  }
  void validate() const;
};

/// uniform      1 / size^2
/// gaussian     exp(-(i^2 + j^2) / (2 sigma^2))
/// anisotropic  exp(-p^2 / (2 sigma^2) - q^2 / (2 across^2)), p and q along and across the angle
/// motion       the line of the length and angle through the centre, its points shared among the four nearest pixels
at::Tensor point_spread(const PointSpreadConfig& config);

}  // namespace reseda::inverse
