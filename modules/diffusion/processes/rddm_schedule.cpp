#include "modules/diffusion/processes/rddm_schedule.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::diffusion {
namespace {

constexpr double kLastRest = 1e-6;  // what the official code puts for 1 - abar where that may be 0
constexpr double kLeastVariance = 1e-20;

/// Equally spaced float64 values as NumPy has them: the first plus whole multiples of the step.
at::Tensor even(double first, double last, std::int64_t count) {
  if (count == 1) return at::full({1}, first, at::kDouble);
  at::Tensor out = at::arange(count, at::kDouble) * ((last - first) / static_cast<double>(count - 1)) + first;
  out[-1].fill_(last);
  return out;
}

at::Tensor ramp_weights(const std::string& name, std::int64_t steps) {
  const auto t = static_cast<double>(steps);
  const at::Tensor rising = at::arange(1, steps + 1, at::kDouble);
  const double sum = t * (t + 1) / 2;
  if (name == "increased") return rising / sum;
  if (name == "decreased") return (t + 1 - rising) / sum;
  return at::full({steps}, 1 / t, at::kDouble);
}

at::Tensor power_weights(const std::string& name, std::int64_t steps, double ratio) {
  if (name == "average") return at::full({steps}, 1 / static_cast<double>(steps), at::kFloat);
  if (name == "normal") {
    // Powers of e in float32, then divided in float64, as NumPy's promotion has it.
    const at::Tensor exponent = (-even(-3, 3, steps).to(at::kFloat).square() / 2).to(at::kDouble);
    const at::Tensor power = at::pow(at::Scalar(static_cast<double>(std::numbers::e_v<float>)), exponent);
    const at::Tensor density = power.to(at::kFloat).to(at::kDouble) / std::sqrt(2 * std::numbers::pi);
    return density / density.sum();
  }
  const at::Tensor power = even(0, 1, steps).to(at::kFloat).to(at::kDouble).pow(ratio).to(at::kFloat);
  const at::Tensor sum = power.sum();
  return (name == "decreased" ? power.flip(0) : power) / sum;
}

at::Tensor ddim_betas(const RddmScheduleConfig& config) {
  const std::int64_t steps = config.steps;
  if (config.betas == "linear") return at::linspace(config.beta_first, config.beta_last, steps, at::kFloat);
  if (config.betas == "scaled_linear")
    return at::linspace(std::sqrt(config.beta_first), std::sqrt(config.beta_last), steps, at::kFloat).square();
  const auto product = [steps](std::int64_t i) {
    const double u = static_cast<double>(i) / static_cast<double>(steps);
    return std::pow(std::cos((u + 0.008) / 1.008 * std::numbers::pi / 2), 2.0);
  };
  std::vector<double> betas;
  for (std::int64_t i = 0; i < steps; ++i) betas.push_back(std::min(1 - product(i + 1) / product(i), 0.999));
  return at::tensor(betas, at::kDouble).to(at::kFloat);
}

/// alpha, beta^2 and their running sums, in the type that the official code works in.
struct Sums {
  at::Tensor alpha, beta2, abar, bbar2;
};

Sums running_sums(const at::Tensor& alpha, const at::Tensor& beta2) {
  return {alpha, beta2, alpha.cumsum(0).clamp(0, 1), beta2.cumsum(0).clamp(0, 1)};
}

at::Tensor differences(const at::Tensor& sums) {
  return at::cat({at::zeros({1}, sums.options()), sums.slice(0, 1) - sums.slice(0, 0, -1)});
}

Sums ddim_sums(const RddmScheduleConfig& config) {
  const at::Tensor product = (1 - ddim_betas(config)).cumprod(0);
  const at::Tensor abar = 1 - product.sqrt(), bbar2 = 1 - product;
  return {differences(abar), differences(bbar2), abar, bbar2};
}

Sums sums(const RddmScheduleConfig& config) {
  if (config.schedule == "ddim") return ddim_sums(config);
  return running_sums(rddm_weights(config.schedule, config.residual, config.steps, 1, config.residual_power),
                      rddm_weights(config.schedule, config.noise, config.steps, config.sum_scale, config.noise_power));
}

/// The value before each, `first` before the first.
at::Tensor shifted(const at::Tensor& sums, const at::Tensor& first) {
  return at::cat({first.reshape({1}), sums.slice(0, 0, -1)});
}

}  // namespace

void RddmScheduleConfig::validate() const {
  require_choice("process.schedule", schedule, {"ramp", "power", "ddim"});
  RESEDA_REQUIRE(steps >= 2 && steps <= 100000, Errc::kUsage, "process.steps must be in 2 to 100000, got ", steps);
  RESEDA_REQUIRE(std::isfinite(sum_scale) && sum_scale > 0, Errc::kUsage, "process.sum_scale must be > 0, got ",
                 sum_scale);
  for (const auto& [key, name, power] :
       {std::tuple("residual", residual, residual_power), std::tuple("noise", noise, noise_power)}) {
    require_choice((std::string("process.") + key).c_str(), name, {"decreased", "increased", "average", "normal"});
    RESEDA_REQUIRE(std::isfinite(power) && power > 0, Errc::kUsage, "process.", key, "_power must be > 0, got ", power);
  }
  require_choice("process.betas", betas, {"linear", "scaled_linear", "squaredcos_cap_v2"});
  RESEDA_REQUIRE(schedule == "power" ||
                     (residual == "decreased" && noise == "increased" && residual_power == 1 && noise_power == 1),
                 Errc::kUsage, "process.residual, noise and their powers belong to the schedule power, got '", schedule,
                 "'");
  RESEDA_REQUIRE(beta_first > 0 && beta_last >= beta_first && beta_last < 1, Errc::kUsage,
                 "process.beta_first and beta_last must satisfy 0 < beta_first <= beta_last < 1, got ", beta_first,
                 " and ", beta_last);
  RESEDA_REQUIRE(schedule == "ddim" || betas == "linear", Errc::kUsage,
                 "process.betas belongs to the schedule ddim, got '", schedule, "'");
}

at::Tensor rddm_weights(const std::string& family, const std::string& name, std::int64_t steps, double scale,
                        double ratio) {
  require_choice("family of weights", family, {"ramp", "power"});
  if (family == "ramp") {
    require_choice("weights", name, {"increased", "decreased", "average"});
    return ramp_weights(name, steps) * scale;
  }
  require_choice("weights", name, {"increased", "decreased", "average", "normal"});
  return power_weights(name, steps, ratio) * scale;
}

std::vector<std::pair<std::string, at::Tensor>> RddmSchedule::named() const {
  return {{"alphas", alphas},
          {"alphas_cumsum", alphas_cumsum},
          {"one_minus_alphas_cumsum", one_minus_alphas_cumsum},
          {"betas2", betas2},
          {"betas", betas},
          {"betas2_cumsum", betas2_cumsum},
          {"betas_cumsum", betas_cumsum},
          {"posterior_mean_coef1", posterior_mean_coef1},
          {"posterior_mean_coef2", posterior_mean_coef2},
          {"posterior_mean_coef3", posterior_mean_coef3},
          {"posterior_variance", posterior_variance},
          {"posterior_log_variance_clipped", posterior_log_variance_clipped}};
}

RddmSchedule rddm_schedule(const RddmScheduleConfig& config, RddmInit init) {
  config.validate();
  Sums s = sums(config);
  const bool test = init == RddmInit::kTest;
  if (test && config.schedule == "ddim") {
    s.alpha[0].copy_(s.alpha[1]);
    s.beta2[0].copy_(s.beta2[1]);
  }
  const at::Tensor one = at::ones({1}, s.abar.options());
  const at::Tensor abar_before = shifted(s.abar, test ? s.abar[1] : one);
  const at::Tensor bbar2_before = shifted(s.bbar2, test ? s.bbar2[1] : one);
  at::Tensor c1 = bbar2_before / s.bbar2, c3 = s.beta2 / s.bbar2;
  at::Tensor c2 = (s.beta2 * abar_before - bbar2_before * s.alpha) / s.bbar2;
  at::Tensor variance = s.beta2 * bbar2_before / s.bbar2, rest = 1 - s.abar;
  c1[0].fill_(0);
  c2[0].fill_(0);
  c3[0].fill_(1);
  variance[0].fill_(0);
  rest[-1].fill_(kLastRest);
  const auto single = [](const at::Tensor& x) { return x.to(at::kFloat); };
  return {.alphas = single(s.alpha),
          .alphas_cumsum = single(s.abar),
          .one_minus_alphas_cumsum = single(rest),
          .betas2 = single(s.beta2),
          .betas = single(s.beta2.sqrt()),
          .betas2_cumsum = single(s.bbar2),
          .betas_cumsum = single(s.bbar2.sqrt()),
          .posterior_mean_coef1 = single(c1),
          .posterior_mean_coef2 = single(c2),
          .posterior_mean_coef3 = single(c3),
          .posterior_variance = single(variance),
          .posterior_log_variance_clipped = single(variance.clamp_min(kLeastVariance).log())};
}

}  // namespace reseda::diffusion
