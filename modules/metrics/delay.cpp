#include "modules/metrics/delay.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "modules/metrics/signal_pair.hpp"

namespace reseda::metrics {
namespace {

/// Cross-correlation at lags -most .. most, in blocks of `kBlock` samples so that hours need no hour-long transform.
at::Tensor correlation(const at::Tensor& reference, const at::Tensor& estimate, std::int64_t most) {
  constexpr std::int64_t kBlock = 1 << 18;
  at::Tensor sum = at::zeros({2 * most + 1}, reference.options());
  const at::Tensor padded = at::constant_pad_nd(estimate, {most, most});
  for (std::int64_t first = 0; first < reference.size(0); first += kBlock) {
    const std::int64_t count = std::min(kBlock, reference.size(0) - first);
    // estimate[first - most .. first + count + most - 1] against reference[first .. first + count - 1].
    const at::Tensor r = reference.narrow(0, first, count), e = padded.narrow(0, first, count + 2 * most);
    const std::int64_t size = e.size(0) + count;
    const at::Tensor product = at::fft_rfft(e, size) * at::fft_rfft(r, size).conj();
    sum += at::fft_irfft(product, size).narrow(0, 0, 2 * most + 1);
  }
  return sum;
}

}  // namespace

std::int64_t delay_samples(const at::Tensor& reference, const at::Tensor& estimate, std::int64_t most) {
  const SignalPair pair = signal_pair(reference, estimate, "delay_samples");
  most = std::min(most, pair.reference.size(0) - 1);
  const at::Tensor c = correlation(pair.reference, pair.estimate, most);
  const double* values = c.data_ptr<double>();
  // Lags 0, 1, -1, 2, -2, ...; what differs by rounding alone does not move the answer.
  std::int64_t best = 0;
  const double margin = 1e-9 * c.abs().max().item<double>();
  for (std::int64_t size = 1; size <= most; ++size)
    for (const std::int64_t lag : {size, -size})
      if (values[most + lag] > values[most + best] + margin) best = lag;
  return best;
}

}  // namespace reseda::metrics
