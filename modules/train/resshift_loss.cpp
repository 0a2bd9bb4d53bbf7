#include "modules/train/resshift_loss.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/rddm_step.hpp"

namespace reseda::train {

using diffusion::Target;

ResshiftLoss::ResshiftLoss(Target target, Weights weights, const diffusion::Process& process)
    : target_(target), weights_(weights), process_(process) {
  const bool known =
      target == Target::kX0 || target == Target::kResidual || target == Target::kEps || target == Target::kScaledEps;
  RESEDA_REQUIRE(known, Errc::kUsage, "the loss of ResShift is for a target of x0, residual, eps or scaled_eps, got ",
                 diffusion::target_name(target));
  RESEDA_REQUIRE(process.steps() >= 2, Errc::kUsage, "the loss of ResShift needs a process with a table of steps");
}

double ResshiftLoss::weight(double time) const {
  const double step = 1.0 / static_cast<double>(process_.steps());
  const auto posterior = [&](double from) {
    return diffusion::rddm_step(diffusion::RddmUpdate::kMixed, process_.at(from),
                                process_.at(std::max(from - step, 0.0)), 1.0);
  };
  const bool first = time < 1.5 * step;
  const double deviation = posterior(first ? 2.0 * step : time).noise.scalar();
  double mean = posterior(first ? step : time).x0.scalar();
  if (target_ == Target::kEps || target_ == Target::kScaledEps) {
    const diffusion::Marginal m = process_.at(time);
    mean *= m.c.scalar() / m.a.scalar();
  }
  return 0.5 * std::pow(mean / deviation, 2.0);
}

at::Tensor ResshiftLoss::operator()(const at::Tensor& prediction, const at::Tensor& x0, const at::Tensor& y,
                                    const at::Tensor& eps, const at::Tensor& times) const {
  const diffusion::Marginal m = diffusion::marginals(process_, times, x0.dim());
  at::Tensor error = prediction - diffusion::target_value(target_, x0, eps, y, m, {});
  if (target_ == Target::kScaledEps) error = diffusion::Coef(m.c.value.reciprocal()) * error;
  const at::Tensor each = mean_square(error);
  if (weights_ == Weights::kEqual) return each;
  std::vector<double> weights;
  for (std::int64_t i = 0; i < times.size(0); ++i) weights.push_back(weight(times[i].item<double>()));
  return each * at::tensor(weights, at::kDouble).to(each.device(), each.scalar_type());
}

at::Tensor mean_square(const at::Tensor& difference) { return difference.square().flatten(1).mean(1); }

}  // namespace reseda::train
