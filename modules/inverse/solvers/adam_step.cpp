#include "modules/inverse/solvers/adam_step.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

namespace reseda::inverse {
namespace {

constexpr double kBeta1 = 0.9, kEps = 1e-8;

at::Tensor as_real(const at::Tensor& x) { return x.is_complex() ? at::view_as_real(x.resolve_conj()) : x; }

}  // namespace

at::Tensor AdamStep::operator()(const at::Tensor& x, const at::Tensor& gradient, double lr) {
  const at::Tensor g = as_real(gradient);
  if (taken_++ == 0) {
    mean_ = at::zeros_like(g);
    square_ = at::zeros_like(g);
  }
  mean_.mul_(kBeta1).add_(g, 1.0 - kBeta1);
  square_.mul_(beta2_).addcmul_(g, g, 1.0 - beta2_);
  const double k = static_cast<double>(taken_);
  const at::Tensor scale = (square_.sqrt() / std::sqrt(1.0 - std::pow(beta2_, k))).add_(kEps);
  const at::Tensor moved = at::addcdiv(as_real(x), mean_, scale, -lr / (1.0 - std::pow(kBeta1, k)));
  return x.is_complex() ? at::view_as_complex(moved) : moved;
}

double scheduled_rate(double lr, const std::string& schedule, std::int64_t k, std::int64_t n) {
  if (schedule != "cosine") return lr;
  return lr * 0.5 * (1.0 + std::cos(std::numbers::pi * static_cast<double>(k) / static_cast<double>(n)));
}

}  // namespace reseda::inverse
