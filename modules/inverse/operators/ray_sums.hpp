#pragma once

#include <ATen/core/Tensor.h>

#include "modules/inverse/operators/ray_geometry.hpp"

namespace reseda::inverse {

/// Sums of images over the samples of every ray, with bilinear interpolation, 0 outside:
///   sums[n, k, v] = sum_j image_n(centre + tau_j direction),  tau_j = j - (samples - 1) / 2
/// On the CPU by loops over what the ray crosses, the same for any number of threads; on other devices, and where
/// autograd records, by at::grid_sampler.
/// @param images  [N,H,W] float32 or float64   @return [N,D,V]
at::Tensor ray_sums(const RayGeometry& rays, const at::Tensor& images);

/// The transpose, [N,D,V] -> [N,H,W]: every value is spread over its ray with the same weights.
at::Tensor ray_sums_transpose(const RayGeometry& rays, const at::Tensor& sums);

/// Both by at::grid_sampler, which is differentiable, and its gradient; on any device.
at::Tensor sampled_ray_sums(const RayGeometry& rays, const at::Tensor& images);
at::Tensor sampled_ray_sums_transpose(const RayGeometry& rays, const at::Tensor& sums);

}  // namespace reseda::inverse
