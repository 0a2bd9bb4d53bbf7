#include "modules/diffusion/samplers/rk45.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "modules/core/error.hpp"

namespace reseda::diffusion {
namespace {

constexpr int kStages = 6;
constexpr std::array<double, kStages> kTime = {0.0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1.0};
constexpr std::array<std::array<double, 5>, kStages> kStage = {
    {{},
     {1.0 / 5},
     {3.0 / 40, 9.0 / 40},
     {44.0 / 45, -56.0 / 15, 32.0 / 9},
     {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
     {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656}}};
constexpr std::array<double, kStages> kResult = {35.0 / 384, 0.0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84};
/// Order 5 minus order 4; the last weight belongs to the velocity at the new point.
constexpr std::array<double, kStages + 1> kError = {-71.0 / 57600,    0.0,         71.0 / 16695, -71.0 / 1920,
                                                    17253.0 / 339200, -22.0 / 525, 1.0 / 40};
constexpr double kSafety = 0.9, kShrink = 0.2, kGrow = 10.0, kExponent = -1.0 / 5;

double rms(const at::Tensor& x) { return x.numel() == 0 ? 0.0 : std::sqrt(x.abs().square().mean().item<double>()); }

/// x + h sum_i weights[i] k[i]
at::Tensor combine(const at::Tensor& x, double h, const std::vector<at::Tensor>& k, const double* weights, int count) {
  at::Tensor out = x.clone();
  for (int i = 0; i < count; ++i)
    if (weights[i] != 0.0) out.add_(k[i], h * weights[i]);
  return out;
}

class Integration {
 public:
  Integration(const Velocity& velocity, const Rk45Options& options) : velocity_(velocity), options_(options) {}

  at::Tensor call(double t, const at::Tensor& x) {
    RESEDA_REQUIRE(calls_ < options_.max_calls, Errc::kNumeric, "rk45: no end after ", calls_,
                   " network calls, at time ", t, "; raise rtol and atol or max_calls");
    ++calls_;
    return velocity_(t, x);
  }

  /// One trial step from x with velocities[0] given; fills in the others.
  at::Tensor trial(double t, double h, const at::Tensor& x, std::vector<at::Tensor>& k) {
    for (int stage = 1; stage < kStages; ++stage)
      k[stage] = call(t + kTime[stage] * h, combine(x, h, k, kStage[stage].data(), stage));
    at::Tensor next = combine(x, h, k, kResult.data(), kStages);
    k[kStages] = call(t + h, next);
    return next;
  }

  double error(double h, const at::Tensor& x, const at::Tensor& next, const std::vector<at::Tensor>& k) const {
    const at::Tensor estimate = combine(at::zeros_like(x), h, k, kError.data(), kStages + 1);
    const at::Tensor scale = at::maximum(x.abs(), next.abs()).mul_(options_.rtol).add_(options_.atol);
    return rms(estimate / scale);
  }

 private:
  const Velocity& velocity_;
  const Rk45Options& options_;
  std::int64_t calls_ = 0;
};

}  // namespace

double rk45_first_step(const Velocity& velocity, const at::Tensor& x, const at::Tensor& v, double t0, double t1,
                       const Rk45Options& options) {
  const double span = std::abs(t1 - t0), direction = t1 < t0 ? -1.0 : 1.0;
  const at::Tensor scale = x.abs().mul_(options.rtol).add_(options.atol);
  const double size = rms(x / scale), slope = rms(v / scale);
  const double guess = std::min(span, size < 1e-5 || slope < 1e-5 ? 1e-6 : 0.01 * size / slope);
  const at::Tensor ahead = velocity(t0 + guess * direction, at::add(x, v, guess * direction));
  const double curvature = rms((ahead - v) / scale) / guess;
  const bool flat = slope <= 1e-15 && curvature <= 1e-15;
  const double wanted = flat ? std::max(1e-6, guess * 1e-3) : std::pow(0.01 / std::max(slope, curvature), -kExponent);
  return std::min({100.0 * guess, wanted, span});
}

at::Tensor integrate_rk45(const Velocity& velocity, at::Tensor x, double t0, double t1, const Rk45Options& options,
                          const std::function<void(double t, const at::Tensor& x)>& on_accept) {
  Integration run(velocity, options);
  const Velocity counted = [&run](double t, const at::Tensor& at) { return run.call(t, at); };
  const double direction = t1 < t0 ? -1.0 : 1.0;
  std::vector<at::Tensor> k(kStages + 1);
  double t = t0;
  if (t == t1) return x;
  k[0] = counted(t, x);
  double length = rk45_first_step(counted, x, k[0], t0, t1, options);
  while (direction * (t1 - t) > 0) {
    const double shortest = 10.0 * std::abs(std::nextafter(t, direction * std::numeric_limits<double>::infinity()) - t);
    length = std::max(length, shortest);
    for (bool rejected = false;; rejected = true) {
      RESEDA_REQUIRE(length >= shortest, Errc::kNumeric, "rk45: the step became too short at time ", t);
      const double t_next = direction * (t + length * direction - t1) > 0 ? t1 : t + length * direction;
      const double h = t_next - t;
      length = std::abs(h);
      const at::Tensor next = run.trial(t, h, x, k);
      const double error = run.error(h, x, next, k);
      RESEDA_REQUIRE(std::isfinite(error), Errc::kNumeric, "rk45: the state is not finite at time ", t_next);
      const double factor = error == 0.0 ? kGrow : kSafety * std::pow(error, kExponent);
      if (error < 1.0) {
        length *= std::min(rejected ? 1.0 : kGrow, factor);
        t = t_next;
        x = next;
        k[0] = k[kStages];
        break;
      }
      length *= std::max(kShrink, factor);
    }
    if (on_accept) on_accept(t, x);
  }
  return x;
}

}  // namespace reseda::diffusion
