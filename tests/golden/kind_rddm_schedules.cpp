#include <ATen/ATen.h>

#include <cmath>
#include <string>
#include <vector>

#include "modules/diffusion/processes/resfusion.hpp"
#include "modules/diffusion/sampler.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/rddm_variant.hpp"

namespace reseda::golden {
namespace {

std::string prefix(const nlohmann::json& item) { return "out." + item.at("tag").get<std::string>() + "."; }

/// Indices at which a sampler calls a denoiser, and -1 after them.
at::Tensor visited(const diffusion::Process& process, std::int64_t steps) {
  struct Listed final : diffusion::Denoiser {
    diffusion::Estimates operator()(const at::Tensor& x, double t, const diffusion::Condition&) const override {
      times.push_back(t);
      return {at::zeros_like(x), at::zeros_like(x)};
    }
    mutable std::vector<double> times;
  } listed;
  ZeroNoise noise;
  diffusion::SampleContext context{.noise = noise, .item = "", .on_step = {}, .trace = {}};
  diffusion::make_sampler(to_config({{"name", "rddm_ddim"}, {"steps", steps}}))
      ->run(at::zeros({1, 1, 1, 1}), process, listed, context);
  std::vector<std::int64_t> indices;
  for (const double t : listed.times) indices.push_back(std::llround(process.network_time(t)));
  indices.push_back(-1);
  return at::tensor(indices, at::kLong);
}

at::Tensor all_times(const diffusion::Process& process) {
  return at::arange(1, process.steps() + 1, at::kDouble) / static_cast<double>(process.steps());
}

void check_bridge(GoldenCase& golden, const std::string& tag, const diffusion::Process& process) {
  const diffusion::Marginal m = diffusion::marginals(process, all_times(process), 1);
  const std::string out = "out." + tag + ".";
  const Tolerance rounding{.atol = 1e-7};
  golden.check(out + "a", m.a.value, rounding);
  golden.check(out + "b", m.b.value, rounding);
  golden.check(out + "c", m.c.value, rounding);
  golden.check(out + "a_R", m.a.value + m.b.value, rounding);

  const std::string in = "in." + tag + ".";
  const at::Tensor t = golden.tensor(in + "t"), x0 = golden.tensor(in + "x0"), y = golden.tensor(in + "y"),
                   eps = golden.tensor(in + "eps");
  const at::Tensor times = (t + 1).to(at::kDouble) / static_cast<double>(process.steps());
  golden.check(out + "x_t", diffusion::marginals(process, times, x0.dim()).sample(x0, y, eps), {.atol = 1e-6});
}

}  // namespace

/// The twelve arrays of RDDM.
void run_rddm_schedules(GoldenCase& golden) {
  for (const nlohmann::json& item : golden.config().at("items"))
    for (const auto& [name, values] : rddm_schedule_of(item).named()) golden.check(prefix(item) + name, values);
}

/// The weights that RDDM's arrays are sums of. Official code takes names it does not know for average.
void run_rddm_weights(GoldenCase& golden) {
  for (const nlohmann::json& item : golden.config().at("items")) {
    const std::string family = item.at("variant") == "E2" ? "ramp" : "power";
    std::string name = item.at("schedule").get<std::string>();
    const bool known = name == "increased" || name == "decreased" || (name == "normal" && family == "power");
    if (!known) name = "average";
    const at::Tensor weights = diffusion::rddm_weights(family, name, item.at("T").get<std::int64_t>(),
                                                       item.value("sum_scale", 1.0), item.value("ratio", 1.0));
    golden.check(prefix(item) + "coef", weights);
    golden.check(prefix(item) + "cumsum_clip", weights.cumsum(0).clamp(0, 1));
  }
}

/// The times that RDDM's strided sampler visits.
void run_rddm_time_grids(GoldenCase& golden) {
  for (const nlohmann::json& item : golden.config().at("items")) {
    diffusion::RddmConfig config;
    config.coefficients.steps = item.at(0).get<std::int64_t>();
    const auto steps = item.at(1).get<std::int64_t>();
    golden.check("out.T" + std::to_string(config.coefficients.steps) + ".S" + std::to_string(steps),
                 visited(diffusion::Rddm(config), steps));
  }
}

/// The coefficients of the shared core for both systems. A tag names system and schedule.
void run_rddm_bridge(GoldenCase& golden) {
  for (const nlohmann::json& item : golden.json().at("exactness")) {
    const std::string tag = item.at("tag").get<std::string>();
    if (tag.starts_with("rddm_")) {
      diffusion::RddmConfig config;
      config.coefficients.schedule = tag == "rddm_SA" ? "ramp" : tag == "rddm_SB" ? "power" : "ddim";
      config.coefficients.steps = item.at("n").get<std::int64_t>();
      check_bridge(golden, tag, diffusion::Rddm(config));
    } else {
      diffusion::ResfusionConfig config;
      const std::string name = tag.substr(std::string("resfusion_").size());
      const std::size_t digits = name.find_first_of("0123456789");
      config.coefficients.schedule = name.substr(0, digits) == "LinearPro" ? "linear_pro" : "cosine_pro";
      config.coefficients.steps = std::stoll(name.substr(digits));
      check_bridge(golden, tag, diffusion::Resfusion(config));
    }
  }
}

/// The arrays of Resfusion. Two kinds of recorded schedule are no schedules, and are passed over: HyperbolicSecant,
/// whose products are negative, and LinearPro below 10 steps, where the official search for the cut goes wrong.
void run_resfusion_schedules(GoldenCase& golden) {
  for (const nlohmann::json& item : golden.config().at("items")) {
    const bool broken = item.at("class") == "HyperbolicSecant" ||
                        (item.at("class") == "LinearProScheduler" && item.at("args").at("T").get<int>() < 10);
    if (broken) {
      for (const std::string& name : golden.names(prefix(item))) golden.tensor(name);
      continue;
    }
    const diffusion::ResfusionSchedule schedule = diffusion::resfusion_schedule(resfusion_schedule_of(item));
    golden.check(prefix(item) + "alphas_hat", schedule.alphas_hat);
    golden.check(prefix(item) + "alphas", schedule.alphas);
    golden.check(prefix(item) + "betas", schedule.betas);
    golden.check(prefix(item) + "betas_hat", schedule.betas_hat);
    golden.check(prefix(item) + "alphas_hat_t_minus_1", schedule.alphas_hat_before);
    golden.check(prefix(item) + "T_acc", at::tensor({schedule.used}, at::kLong));
  }
}

}  // namespace reseda::golden
