#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "modules/diffusion/oracles/gaussian.hpp"
#include "modules/inverse/solver.hpp"
#include "tests/modules/diffusion/plain_processes.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::inverse {

using diffusion::component;
using diffusion::error_of;
using Keys = std::vector<std::pair<std::string, std::string>>;

inline double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

/// A variance preserving process with a table of `steps` steps, as noisy at its end as one of 1000.
inline std::unique_ptr<diffusion::Process> table_process(std::int64_t steps = 50) {
  return diffusion::make_process(component("ddpm", {{"steps", std::to_string(steps)}, {"beta_steps", "1000"}}));
}

/// What a run of a solver is given besides operator, process and prior.
struct Setting {
  double sigma_y = 0.0;
  at::Tensor start = {};
  std::function<void(const SolverStep&)> on_step = {};
  ProgressSink progress = {};
};

/// Runs the solver that the config names under the item id "item".
inline at::Tensor solve(const ConfigNode& config, const at::Tensor& y, const ForwardOperator& op,
                        const diffusion::Process& process, const diffusion::Denoiser& denoiser, NoiseSource& noise,
                        const Setting& setting = {}) {
  diffusion::SampleContext sample{.noise = noise, .item = "item", .on_step = setting.progress, .trace = {}};
  SolveContext context{.sample = sample, .sigma_y = setting.sigma_y, .on_step = setting.on_step};
  return make_solver(config)->solve(y, setting.start, op, process, denoiser, context);
}

/// H as a matrix [m,n].
inline at::Tensor dense(const ForwardOperator& op, at::IntArrayRef image) {
  std::int64_t n = 1;
  std::vector<std::int64_t> shape = image.vec();
  for (const std::int64_t side : image) n *= side;
  shape.insert(shape.begin(), n);
  return op.apply(at::eye(n, at::kDouble).reshape(shape)).flatten(1).t();
}

/// The mean of x ~ N(mu, d^2 I) given y = H x + N(0, sigma^2 I).
inline at::Tensor posterior_mean(const ForwardOperator& op, const at::Tensor& y, const at::Tensor& mu, double d,
                                 double sigma) {
  const at::Tensor h = dense(op, mu.sizes().slice(1)), eye = at::eye(h.size(0), at::kDouble);
  const at::Tensor inner = d * d * h.mm(h.t()) + sigma * sigma * eye;
  const at::Tensor error = (y - op.apply(mu.expand({y.size(0), -1, -1, -1}))).flatten(1).t();
  return mu +
         d * d * h.t().mm(at::linalg_solve(inner, error)).t().reshape({y.size(0), mu.size(1), mu.size(2), mu.size(3)});
}

}  // namespace reseda::inverse
