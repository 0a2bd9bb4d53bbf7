#include "modules/metrics/si_sdr.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/metrics/signal_pair.hpp"

namespace reseda::metrics {
namespace {

constexpr double kTiny = 1e-20;

double product(const at::Tensor& a, const at::Tensor& b) { return at::dot(a, b).item<double>(); }
double energy(const at::Tensor& signal) { return product(signal, signal); }
double decibel(double ratio) { return 10.0 * std::log10(ratio); }

}  // namespace

double si_sdr(const at::Tensor& reference, const at::Tensor& estimate) {
  const SignalPair pair = signal_pair(reference, estimate, "si_sdr");
  const at::Tensor r = pair.reference - pair.reference.mean(), e = pair.estimate - pair.estimate.mean();
  const at::Tensor target = r * (product(e, r) / (energy(r) + kTiny));
  return decibel((energy(target) + kTiny) / (energy(e - target) + kTiny));
}

EnergyRatios energy_ratios(const at::Tensor& clean, const at::Tensor& noise, const at::Tensor& estimate) {
  const SignalPair pair = signal_pair(clean, estimate, "energy_ratios");
  const at::Tensor x = pair.reference, e = pair.estimate, n = signal_pair(noise, estimate, "energy_ratios").reference;
  const at::Tensor target = x * (product(e, x) / energy(x));
  const at::Tensor interference = n * (product(e, n) / energy(n));
  const double s = energy(target);
  return {decibel(s / energy(e - target)), decibel(s / energy(interference)),
          decibel(s / energy(e - target - interference))};
}

}  // namespace reseda::metrics
