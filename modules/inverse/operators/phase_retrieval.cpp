#include "modules/inverse/operators/phase_retrieval.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

constexpr const char* kName = "phase_retrieval";
constexpr std::int64_t kLargestPad = 1 << 14;
constexpr std::array<std::int64_t, 2> kAxes = {-2, -1};

}  // namespace

void PhaseRetrievalConfig::validate() const {
  RESEDA_REQUIRE(pad >= -1 && pad <= kLargestPad, Errc::kUsage, "operator.pad must be -1 .. ", kLargestPad, ", got ",
                 pad);
}

PhaseRetrieval::PhaseRetrieval(const PhaseRetrievalConfig& config)
    : shape_(config.image), pad_(config.pad >= 0 ? config.pad : std::max(shape_.height, shape_.width) / 4) {
  config.validate();
}

at::Tensor PhaseRetrieval::apply(const at::Tensor& x) const {
  shape_.require(x, kName);
  const at::Tensor padded = at::constant_pad_nd(x, {pad_, pad_, pad_, pad_});
  const at::Tensor spectrum = at::fft_fft2(at::fft_ifftshift(padded, kAxes), {}, kAxes, "ortho");
  return at::fft_fftshift(spectrum, kAxes).abs();
}

at::Tensor PhaseRetrieval::pseudo_inverse(const at::Tensor& y) const {
  require_measurement(y, {shape_.channels, shape_.height + 2 * pad_, shape_.width + 2 * pad_}, kName);
  const at::Tensor image = at::fft_ifft2(at::fft_ifftshift(y, kAxes), {}, kAxes, "ortho");
  return at::fft_fftshift(image, kAxes).abs().slice(2, pad_, pad_ + shape_.height).slice(3, pad_, pad_ + shape_.width);
}

const OperatorEntry& operator_entry_phase_retrieval() {
  static const auto entry = make_component<ForwardOperator, PhaseRetrieval, PhaseRetrievalConfig>(
      "phase_retrieval", "moduli of the Fourier transform of the padded image");
  return entry;
}

}  // namespace reseda::inverse
