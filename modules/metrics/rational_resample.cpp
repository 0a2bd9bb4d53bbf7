#include "modules/metrics/rational_resample.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "modules/core/error.hpp"

namespace reseda::metrics {
namespace {

constexpr double kRejectionDb = 60.0;
constexpr std::int64_t kMaxRate = 768000;

/// Modified Bessel function of order 0 by its power series; x <= 6 here, so that 30 terms are exact in double.
double bessel_i0(double x) {
  double term = 1.0, sum = 1.0;
  for (int k = 1; k <= 30; ++k) {
    term *= (x / 2 / k) * (x / 2 / k);
    sum += term;
  }
  return sum;
}

double sinc(double x) { return x == 0.0 ? 1.0 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x); }

}  // namespace

std::vector<double> resampling_filter(std::int64_t up, std::int64_t down) {
  const double cutoff = 1.0 / (2.0 * static_cast<double>(std::max(up, down)));
  const auto half = static_cast<std::int64_t>(std::ceil((kRejectionDb - 8.0) / (28.714 * cutoff / 10.0)));
  const double beta = 0.1102 * (kRejectionDb - 8.7);
  std::vector<double> taps(static_cast<std::size_t>(2 * half + 1));
  for (std::int64_t k = -half; k <= half; ++k) {
    const double r = static_cast<double>(k) / static_cast<double>(half);
    taps[static_cast<std::size_t>(k + half)] =
        sinc(2.0 * cutoff * static_cast<double>(k)) * bessel_i0(beta * std::sqrt(1.0 - r * r)) / bessel_i0(beta);
  }
  const double sum = std::accumulate(taps.begin(), taps.end(), 0.0);
  for (double& tap : taps) tap /= sum;
  return taps;
}

at::Tensor rational_resample(const at::Tensor& signal, std::int64_t up, std::int64_t down) {
  RESEDA_REQUIRE(up >= 1 && down >= 1 && up <= kMaxRate && down <= kMaxRate, Errc::kInput,
                 "resampling: rates must be 1 to ", kMaxRate, " Hz, got ", down, " to ", up);
  const std::int64_t common = std::gcd(up, down);
  up /= common;
  down /= common;
  if (up == down) return signal;
  const std::vector<double> taps = resampling_filter(up, down);
  const auto half = static_cast<std::int64_t>(taps.size() / 2);
  const std::int64_t length = signal.size(0);
  const at::Tensor out = at::empty({(length * up + down - 1) / down}, signal.options());
  const double* x = signal.data_ptr<double>();
  auto* y = out.data_ptr<double>();
  for (std::int64_t m = 0; m < out.size(0); ++m) {
    const std::int64_t centre = m * down;
    // Inputs k with |centre - k up| <= half.
    const std::int64_t first = centre > half ? (centre - half + up - 1) / up : 0;
    const std::int64_t last = std::min(length - 1, (centre + half) / up);
    double sum = 0.0;
    for (std::int64_t k = first; k <= last; ++k) sum += x[k] * taps[static_cast<std::size_t>(centre - k * up + half)];
    y[m] = static_cast<double>(up) * sum;
  }
  return out;
}

}  // namespace reseda::metrics
