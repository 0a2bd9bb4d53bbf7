#include "modules/inverse/fourier.hpp"

#include <ATen/ATen.h>

namespace reseda::inverse {
namespace {

constexpr std::int64_t kImageAxes[] = {-2, -1};

at::Tensor to_middle(const at::Tensor& x) { return at::fft_fftshift(x, at::IntArrayRef(kImageAxes)); }
at::Tensor to_corner(const at::Tensor& x) { return at::fft_ifftshift(x, at::IntArrayRef(kImageAxes)); }

}  // namespace

at::Tensor centred_fft2(const at::Tensor& x) {
  return to_middle(at::fft_fft2(to_corner(x), std::nullopt, kImageAxes, "ortho"));
}

at::Tensor centred_ifft2(const at::Tensor& spectrum) {
  return to_middle(at::fft_ifft2(to_corner(spectrum), std::nullopt, kImageAxes, "ortho"));
}

at::Tensor corner_fft2(const at::Tensor& x) { return to_middle(at::fft_fft2(x, std::nullopt, kImageAxes)); }

at::Tensor corner_ifft2(const at::Tensor& spectrum) {
  return at::fft_ifft2(to_corner(spectrum), std::nullopt, kImageAxes);
}

}  // namespace reseda::inverse
