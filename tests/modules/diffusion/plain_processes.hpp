#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <functional>
#include <utility>

#include "modules/diffusion/process.hpp"

namespace reseda::diffusion {

/// A bridge given by functions of time, for the tests of solvers. The prior is b(t_start) y + c(t_start) z.
struct PlainProcess : Process {
  using Marginals = std::function<Marginal(double t)>;
  PlainProcess(double start_time, double end_time, Marginals marginals)
      : start(start_time), end(end_time), marginal(std::move(marginals)) {}
  Marginal at(double t) const override { return marginal(t); }
  /// By central differences: the solvers do not look at it, the targets only at its ratios.
  Rates rate(double t) const override {
    const double h = 1e-6 * (start - end);
    const Marginal up = marginal(t + h), down = marginal(t - h);
    const auto slope = [&](const Coef& high, const Coef& low) { return Coef((high.value - low.value) / (2 * h)); };
    return {slope(up.a, down.a), slope(up.b, down.b), slope(up.c, down.c)};
  }
  double t_start() const override { return start; }
  double t_end() const override { return end; }
  at::Tensor prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const override {
    const Marginal m = marginal(start);
    return m.b * y + m.c * draw_like(noise, {item, "prior", 0}, y);
  }
  double start, end;
  Marginals marginal;
};

/// Variance exploding with c = t.
inline PlainProcess exploding(double start = 80.0, double end = 0.002) {
  return {start, end, [](double t) { return Marginal{1.0, 0.0, t}; }};
}

/// Drawn towards y: a = 1 / (1 + 3 t), b = 1 - a, c = t / 10.
inline PlainProcess anchored() {
  return {1.0, 1e-3, [](double t) { return Marginal{1 / (1 + 3 * t), 1 - 1 / (1 + 3 * t), t / 10}; }};
}

/// Starts where a = 0 and ends where c = 0, as residual diffusion does: a = 1 - t, b = t, c = t / 2.
inline PlainProcess residual() {
  return {1.0, 0.0, [](double t) { return Marginal{1 - t, t, t / 2}; }};
}

/// Starts where a is slightly negative and a + b is not 1, as Resfusion without truncation does.
inline PlainProcess crossing() {
  return {1.0, 0.01, [](double t) {
            const double root = 1 - 0.503 * t;
            return Marginal{2 * root - 1, 1 - root, std::sqrt(1 - root * root)};
          }};
}

/// Pinned at both ends: c = 0 at t = 1, where x is y, and at t = 0.
inline PlainProcess pinned() {
  return {1.0, 0.0, [](double t) { return Marginal{1 - t, t, 0.4 * std::sqrt(t * (1 - t))}; }};
}

/// Noise that differs between the pixels of a [*, *, 2, 2] image, as UPSR's.
inline PlainProcess uneven() {
  return {1.0, 1e-3, [](double t) {
            return Marginal{
                1 - 0.99 * t, 0.99 * t,
                Coef(0.5 * std::sqrt(t) * at::tensor({0.4, 0.6, 0.8, 1.0}, at::kDouble).reshape({1, 1, 2, 2}))};
          }};
}

}  // namespace reseda::diffusion
