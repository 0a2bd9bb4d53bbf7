#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "modules/inverse/operators/ray_geometry.hpp"

namespace reseda::inverse {

/// Smears every view over the image: for each pixel the sum over the views of the sinogram where the pixel's ray meets
/// the detector (linear interpolation, 0 outside), times the distance weight and the angle of a view; 0 outside the
/// circle where the geometry has one. [B,C,D,V] -> [B,C,H,W]. Deterministic.
at::Tensor back_projection(const RayGeometry& rays, const at::Tensor& sinogram);

/// The sinogram convolved along the detector with the ramp h, in the form of its samples 1/4, -1/(pi n)^2 at odd n,
/// over the distance of the rays; in a fan after the weight cos(gamma), with h (gamma / sin gamma)^2 for an arc. The
/// filter's window over the frequencies f = 0 .. 1/2:
///   ramp 1   shepp_logan sin(pi f) / (pi f)   cosine cos(pi f)   hamming .54 + .46 cos(2 pi f)   hann .5 + .5 cos(2 pi
///   f)
/// Source: Kak, Slaney 1988, "Principles of Computerized Tomographic Imaging", Secs. 3.3, 3.4.
at::Tensor filtered(const RayGeometry& rays, const at::Tensor& sinogram, const std::string& filter);

/// @throws Error{kUsage} naming key and choices unless the filter is one of them
void require_filter(const char* key, const std::string& filter);

}  // namespace reseda::inverse
