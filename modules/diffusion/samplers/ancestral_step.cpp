#include "modules/diffusion/samplers/ancestral_step.hpp"

#include <ATen/ATen.h>

#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::diffusion {

AncestralStep ancestral_step(const Marginal& from, const Marginal& to, const char* sampler) {
  const at::Tensor &c = from.c.value, &c_to = to.c.value, &a_to = to.a.value;
  const at::Tensor ratio = from.a.value / a_to;
  const at::Tensor square = c.square(), kept = (ratio * c_to).square(), forward = square - kept;
  RESEDA_REQUIRE(at::all((c > 0).logical_and(forward > -1e-12)).item<bool>(), Errc::kUsage, "sampler ", sampler,
                 " draws fresh noise, which needs a process whose noise grows towards its start; this one is a bridge");
  const at::Tensor added = forward.clamp_min(0.0), state = ratio * c_to.square() / square;
  return {.state = Coef(state),
          .x0 = Coef(a_to * added / square),
          .y = Coef(to.b.value - state * from.b.value),
          .posterior = Coef(c_to.square() * added / square),
          .forward = Coef(added)};
}

StepVariance parse_step_variance(const std::string& name) {
  require_choice("sampler.variance", name, {"fixed_small", "fixed_large", "learned_range"});
  if (name == "fixed_small") return StepVariance::kFixedSmall;
  return name == "fixed_large" ? StepVariance::kFixedLarge : StepVariance::kLearnedRange;
}

AncestralStep last_step(StepVariance variance, AncestralStep step, const Coef& posterior_before) {
  if (variance == StepVariance::kLearnedRange) step.posterior = posterior_before;
  if (variance == StepVariance::kFixedLarge) step.forward = posterior_before;
  return step;
}

Coef step_variance(StepVariance variance, const AncestralStep& step, const at::Tensor& share) {
  if (variance == StepVariance::kFixedSmall) return step.posterior;
  if (variance == StepVariance::kFixedLarge) return step.forward;
  RESEDA_REQUIRE(share.defined(), Errc::kUsage,
                 "sampler.variance learned_range needs a network that predicts it (twice the channels of the state)");
  const at::Tensor high = step.forward.value.log().to(share.device()),
                   low = step.posterior.value.log().to(share.device());
  return Coef((low + share.to(at::kDouble) * (high - low)).exp());
}

}  // namespace reseda::diffusion
