#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace reseda::inverse {

/// What a forward difference does at the end of its axis: nothing (0), or the difference to the first element.
enum class Boundary { kOpen, kWrap };

/// (D x)_i = x_{i+1} - x_i along an axis. Same shape; deterministic.
at::Tensor difference(const at::Tensor& x, std::int64_t axis, Boundary boundary);
/// D^T v, so that <D x, v> = <x, D^T v>: (D^T v)_i = v_{i-1} - v_i.
at::Tensor difference_adjoint(const at::Tensor& v, std::int64_t axis, Boundary boundary);

/// Soft threshold sign(x) max(|x| - threshold, 0), the proximal map of threshold |x|_1.
at::Tensor shrink(const at::Tensor& x, double threshold);
/// The same on the Euclidean length over the components, the proximal map of threshold |.|_{2,1}:
///   x_k max(|x| - threshold, 0) / |x|,  |x|^2 = sum_k x_k^2;  0 where |x| is 0
/// Official: hyungjin-chung/DiffusionMBIR, controllable_generation_TV.py (prox_l21), which is NaN where |x| is 0.
std::vector<at::Tensor> shrink_jointly(const std::vector<at::Tensor>& components, double threshold);

}  // namespace reseda::inverse
