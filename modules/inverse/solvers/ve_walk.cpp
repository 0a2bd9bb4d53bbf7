#include "modules/inverse/solvers/ve_walk.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::inverse {
namespace {

/// sigma(t) of a process x0 + sigma eps. @throws Error{kUsage} for another
double noise_level(const char* solver, const diffusion::Process& process, double t) {
  const diffusion::Marginal marginal = process.at(t);
  RESEDA_REQUIRE(marginal.a.is_scalar() && marginal.b.is_scalar() && marginal.c.is_scalar() &&
                     marginal.a.scalar() == 1.0 && marginal.b.scalar() == 0.0,
                 Errc::kUsage, solver, " needs a variance-exploding process, x_t = x0 + sigma eps, such as ve");
  return marginal.c.scalar();
}

}  // namespace

void VeWalkConfig::validate() const {
  RESEDA_REQUIRE(steps >= 2 && steps <= 100000, Errc::kUsage, "solver.steps must be in 2 .. 100000, got ", steps);
  RESEDA_REQUIRE(std::isfinite(snr) && snr >= 0, Errc::kUsage, "solver.snr must be >= 0, got ", snr);
  RESEDA_REQUIRE(t_eps >= 0 && t_eps < 1, Errc::kUsage, "solver.t_eps must be in [0, 1), got ", t_eps);
  diffusion::require_choice("solver.index", index, {"nearest", "truncated"});
  diffusion::require_choice("solver.langevin_norm", langevin_norm, {"item", "batch"});
}

std::vector<VeStep> ve_steps(const char* solver, const VeWalkConfig& config, const diffusion::Process& process) {
  const double end = config.t_eps > 0 ? config.t_eps : process.t_end();
  const at::Tensor times = at::linspace(process.t_start(), end, config.steps, at::kFloat);
  const at::Tensor places = times * static_cast<float>(config.steps - 1);
  const at::Tensor indices = (config.index == "nearest" ? places.round() : places).to(at::kLong);
  std::vector<double> sigmas;
  for (std::int64_t i = 0; i < config.steps; ++i)
    sigmas.push_back(noise_level(solver, process, static_cast<double>(i) / static_cast<double>(config.steps - 1)));
  std::vector<VeStep> steps;
  for (std::int64_t k = 0; k < config.steps; ++k) {
    VeStep step{.t = times.const_data_ptr<float>()[k], .index = indices.const_data_ptr<std::int64_t>()[k]};
    const double before = step.index > 0 ? sigmas[step.index - 1] : 0.0, here = sigmas[step.index];
    step.sigma = noise_level(solver, process, step.t);
    step.g = std::sqrt((here - before) * (here + before));
    steps.push_back(step);
  }
  return steps;
}

at::Tensor ve_score(const diffusion::Denoiser& denoiser, const VeStep& step, const at::Tensor& x, std::int64_t batch) {
  const std::int64_t each = batch > 0 ? batch : std::max<std::int64_t>(x.size(0), 1);
  std::vector<at::Tensor> scores;
  for (const at::Tensor& part : x.split(each)) scores.push_back(denoiser(part, step.t, {}).eps / -step.sigma);
  return scores.size() == 1 ? scores[0] : at::cat(scores);
}

VeMove ve_predict(const VeStep& step, const at::Tensor& x, const at::Tensor& score, const at::Tensor& z) {
  const at::Tensor mean = at::add(x, score, step.g * step.g);
  return {mean, at::add(mean, z, step.g)};
}

VeMove ve_correct(const VeWalkConfig& config, const at::Tensor& x, const at::Tensor& score, const at::Tensor& z) {
  at::Tensor noise_norm = at::linalg_vector_norm(z, 2, at::IntArrayRef{-3, -2, -1}, /*keepdim=*/true);
  at::Tensor score_norm = at::linalg_vector_norm(score, 2, at::IntArrayRef{-3, -2, -1}, /*keepdim=*/true);
  if (config.langevin_norm == "batch") {
    noise_norm = noise_norm.mean(0, /*keepdim=*/true);
    score_norm = score_norm.mean(0, /*keepdim=*/true);
  }
  const at::Tensor ratio = at::where(score_norm > 0, noise_norm / score_norm, at::zeros_like(score_norm));
  const at::Tensor size = 2 * (config.snr * ratio).square();
  const at::Tensor mean = x + size * score;
  return {mean, mean + (2 * size).sqrt() * z};
}

}  // namespace reseda::inverse
