#include <ATen/ATen.h>

#include <cstdio>
#include <string>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/diffusion/processes/ddpm.hpp"
#include "modules/diffusion/samplers/ancestral_step.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::golden {
namespace {

using tests::expect_error;

// The json says these in words.
constexpr Tolerance kConstants = {.atol = 0, .rtol = 1e-13};
/// What is computed here from a and c in place of abar: 1 - abar is rounded differently, by 1e-16 of 1e-4.
constexpr Tolerance kDerived = {.atol = 0, .rtol = 1e-12};
constexpr Tolerance kLogarithms = {.atol = 0, .rtol = 1e-12};

diffusion::DdpmScheduleConfig guided(const nlohmann::json& item) {
  diffusion::DdpmScheduleConfig config;
  config.schedule = item.at("schedule");
  config.steps = item.at("T");
  config.beta_steps = 1000;
  // The official class makes the betas anew from their products even where every step is kept.
  config.respacing = item.value("respacing", std::to_string(config.steps));
  return config;
}

/// The values of the step before (or after) each, and `end` where there is none.
at::Tensor before(const at::Tensor& values, double end) {
  return at::cat({at::full({1}, end, at::kDouble), values.slice(0, 0, -1)});
}
at::Tensor after(const at::Tensor& values, double end) {
  return at::cat({values.slice(0, 1), at::full({1}, end, at::kDouble)});
}

void check_posterior(GoldenCase& golden, const std::string& out, const diffusion::Process& process) {
  const std::int64_t count = process.steps();
  std::vector<double> variance, mean_x0, mean_state;
  for (std::int64_t i = 1; i <= count; ++i) {
    const auto at = [&](std::int64_t place) {
      return process.at(static_cast<double>(place) / static_cast<double>(count));
    };
    const diffusion::AncestralStep step = diffusion::ancestral_step(at(i), at(i - 1), "test");
    variance.push_back(step.posterior.scalar());
    mean_x0.push_back(step.x0.scalar());
    mean_state.push_back(step.state.scalar());
  }
  golden.check(out + "posterior_variance", at::tensor(variance, at::kDouble), kDerived);
  golden.check(out + "posterior_mean_coef1", at::tensor(mean_x0, at::kDouble), kDerived);
  golden.check(out + "posterior_mean_coef2", at::tensor(mean_state, at::kDouble), kDerived);
  variance[0] = variance[1];
  golden.check(out + "posterior_log_variance_clipped", at::tensor(variance, at::kDouble).log(), kLogarithms);
}

void check_constants(GoldenCase& golden, const nlohmann::json& item) {
  const std::string out = "out.const." + item.at("name").get<std::string>() + ".";
  const diffusion::Ddpm process({.coefficients = guided(item)});
  const at::Tensor product = process.schedule().alphas_cumprod;
  const auto all = at::arange(1, process.steps() + 1, at::kDouble) / static_cast<double>(process.steps());
  const diffusion::Marginal m = diffusion::marginals(process, all, 1);
  const at::Tensor &a = m.a.value, &c = m.c.value;
  const auto check = [&](const char* name, const at::Tensor& value) { golden.check(out + name, value, kConstants); };
  check("betas", process.schedule().betas);
  check("alphas_cumprod", product);
  check("alphas_cumprod_prev", before(product, 1));
  check("alphas_cumprod_next", after(product, 0));
  check("sqrt_alphas_cumprod", a);
  check("sqrt_one_minus_alphas_cumprod", c);
  check("sqrt_recip_alphas_cumprod", 1 / a);
  golden.check(out + "sqrt_recipm1_alphas_cumprod", c / a, kDerived);
  golden.check(out + "log_one_minus_alphas_cumprod", (1 - product).log(), kLogarithms);
  check_posterior(golden, out, process);
  std::vector<std::int64_t> told;
  for (std::int64_t i = 1; i <= process.steps(); ++i)
    told.push_back(
        static_cast<std::int64_t>(process.network_time(static_cast<double>(i) / static_cast<double>(process.steps()))));
  golden.check(out + "timestep_map", at::tensor(told, at::kLong));
}

/// "space_timesteps(1000,'ddim300')"
void expect_refusal(const std::string& call) {
  long steps = 0;
  char respacing[32] = {};
  RESEDA_REQUIRE(std::sscanf(call.c_str(), "space_timesteps(%ld,'%31[^']')", &steps, respacing) == 2, Errc::kInput,
                 "must_fail: cannot be read: ", call);
  expect_error(Errc::kUsage, "process.respacing", [&] { diffusion::space_timesteps(steps, respacing); });
}

}  // namespace

/// Schedules of guided diffusion, their constants and respacing.
void run_gd_schedules(GoldenCase& golden) {
  for (const auto& item : golden.config().at("betas")) {
    diffusion::DdpmScheduleConfig config = guided(item);
    config.respacing.clear();
    golden.check("out.betas." + config.schedule + std::to_string(config.steps), diffusion::ddpm_schedule(config).betas,
                 kConstants);
  }
  for (const auto& item : golden.config().at("constants")) check_constants(golden, item);
  for (const auto& item : golden.config().at("spacing"))
    golden.check("out.space." + item.at("name").get<std::string>(),
                 at::tensor(diffusion::space_timesteps(item.at("T"), item.at("sections")), at::kLong));
  for (const auto& call : golden.json().at("must_fail")) expect_refusal(call);
}

}  // namespace reseda::golden
