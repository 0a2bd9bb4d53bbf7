#pragma once

#include <ATen/core/Tensor.h>

namespace reseda::inverse {

/// The orthonormal two-dimensional Fourier transform with the origin in the middle of image and spectrum,
/// F_c = shift FFT2 unshift / sqrt(H W), over the last two axes; the middle is at n / 2, rounded down. Input real or
/// complex; output complex. The fastMRI convention.
at::Tensor centred_fft2(const at::Tensor& x);
/// F_c^{-1} = F_c^*.
at::Tensor centred_ifft2(const at::Tensor& spectrum);

/// F_k = shift FFT2, not normalised: the origin in the corner of the image and in the middle of the spectrum. The
/// convention of score-MRI's scripts for one coil and of DiffusionMBIR's for MRI (utils.py, fft2 and ifft2).
at::Tensor corner_fft2(const at::Tensor& x);
/// F_k^{-1} = F_k^* / (H W).
at::Tensor corner_ifft2(const at::Tensor& spectrum);

}  // namespace reseda::inverse
