#include "modules/diffusion/processes/resfusion_schedule.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::diffusion {
namespace {

constexpr double kCutTolerance = 0.01;
constexpr double kProOffset = 0.008;

double cosine_product(double u, double offset) {
  return std::pow(std::cos((u + offset) / (1 + offset) * std::numbers::pi / 2), 2.0);
}

at::Tensor single(const std::vector<double>& values) { return at::tensor(values, at::kDouble).to(at::kFloat); }

struct Steps {
  at::Tensor alphas, betas, alphas_hat;
};

Steps from_betas(const at::Tensor& betas) {
  const at::Tensor alphas = 1 - betas;
  return {alphas, betas, alphas.cumprod(0)};
}

Steps cosine(std::int64_t steps, double offset) {
  const at::Tensor u = at::arange(steps, at::kFloat) / static_cast<double>(steps);
  const at::Tensor hat = ((u + offset) / (1 + offset) * std::numbers::pi * 0.5).cos().square();
  const at::Tensor before = at::cat({hat.slice(0, 0, 1), hat.slice(0, 0, -1)});
  const at::Tensor betas = 1 - hat / before;
  return {1 - betas, betas, hat};
}

Steps cosine_pro(std::int64_t steps) {
  std::vector<double> betas;
  const auto n = static_cast<double>(steps);
  for (std::int64_t i = 0; i < steps; ++i) {
    const auto u = static_cast<double>(i);
    betas.push_back(std::min(1 - cosine_product((u + 1) / n, kProOffset) / cosine_product(u / n, kProOffset), 0.999));
  }
  return from_betas(single(betas));
}

Steps linear_pro(std::int64_t steps) {
  const double k = 1000.0 / static_cast<double>(steps);
  return from_betas(at::linspace(1e-4 * k, 2e-2 * k, steps, at::kFloat));
}

/// Ends the steps at sqrt(ahat) = 1/2 where the first at or below it is farther away than the tolerance.
Steps cut(const Steps& steps) {
  const at::Tensor roots = steps.alphas_hat.sqrt();
  std::int64_t at = 0;
  while (at < roots.size(0) && !(roots[at].item<float>() <= 0.5F)) ++at;
  RESEDA_INVARIANT(at < roots.size(0));
  if (0.5 - roots[at].item<float>() <= kCutTolerance) return steps;
  RESEDA_REQUIRE(at > 0, Errc::kUsage, "process.steps must leave a step above sqrt(ahat) = 1/2, got too few");
  const at::Tensor kept = steps.alphas_hat.slice(0, 0, at);
  const at::Tensor quarter = at::full({1}, 0.25, at::kFloat);
  const at::Tensor alphas = at::cat({steps.alphas.slice(0, 0, at), quarter / kept.slice(0, -1)});
  return {alphas, 1 - alphas, at::cat({kept, quarter})};
}

Steps steps_of(const ResfusionScheduleConfig& config) {
  if (config.schedule == "linear_pro") return cut(linear_pro(config.steps));
  if (config.schedule == "cosine_pro") return cut(cosine_pro(config.steps));
  if (config.schedule == "cosine") return cosine(config.steps, config.offset);
  return from_betas(at::linspace(config.beta_first, config.beta_last, config.steps, at::kFloat));
}

}  // namespace

void ResfusionScheduleConfig::validate() const {
  require_choice("process.schedule", schedule, {"linear_pro", "cosine_pro", "linear", "cosine"});
  const std::int64_t least = schedule == "linear_pro" ? 7 : 2;
  RESEDA_REQUIRE(steps >= least && steps <= 100000, Errc::kUsage, "process.steps must be in ", least, " to 100000 for ",
                 schedule, ", got ", steps);
  RESEDA_REQUIRE(beta_first > 0 && beta_last >= beta_first && beta_last < 1, Errc::kUsage,
                 "process.beta_first and beta_last must satisfy 0 < beta_first <= beta_last < 1, got ", beta_first,
                 " and ", beta_last);
  RESEDA_REQUIRE(std::isfinite(offset) && offset > 0 && offset < 1, Errc::kUsage,
                 "process.offset must be in (0, 1), got ", offset);
}

ResfusionSchedule resfusion_schedule(const ResfusionScheduleConfig& config) {
  config.validate();
  const Steps steps = steps_of(config);
  ResfusionSchedule out{.alphas_hat = steps.alphas_hat,
                        .alphas = steps.alphas,
                        .betas = steps.betas,
                        .betas_hat = {},
                        .alphas_hat_before = steps.alphas_hat.roll(1, 0)};
  out.alphas_hat_before[0].copy_(out.alphas_hat_before[1]);
  out.betas_hat = (1 - out.alphas_hat_before) / (1 - out.alphas_hat) * out.betas;
  out.used = 1 + (out.alphas_hat.sqrt() - 0.5).abs().argmin().item<std::int64_t>();
  const at::Tensor range = out.alphas_hat.slice(0, 0, out.used);
  RESEDA_REQUIRE(at::all(range.gt(0).logical_and(range.lt(1))).item<bool>() && at::all(range.diff() < 0).item<bool>(),
                 Errc::kUsage, "process.steps makes a schedule that does not fall from 1 towards 1/4: ", config.steps,
                 " steps of ", config.schedule);
  return out;
}

}  // namespace reseda::diffusion
