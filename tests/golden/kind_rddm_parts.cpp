#include <ATen/ATen.h>

#include <string>
#include <utility>
#include <vector>

#include "modules/diffusion/samplers/rddm_step.hpp"
#include "modules/diffusion/weighted_sum.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/rddm_variant.hpp"

namespace reseda::golden {
namespace {

using diffusion::Coef;

double time_of(const diffusion::Process& process, std::int64_t index) {
  return static_cast<double>(index + 1) / static_cast<double>(process.steps());
}

/// One stochastic step of the chain from each item's index to the one below, as the mean and the noise's variance.
struct Posterior {
  at::Tensor mean, variance;
};
Posterior posterior(const diffusion::Rddm& process, diffusion::RddmUpdate update, const at::Tensor& index,
                    const at::Tensor& x, const at::Tensor& x0, const at::Tensor& residual, const at::Tensor& eps,
                    bool stays_at_first) {
  std::vector<at::Tensor> means, variances;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const auto t = index[i].item<std::int64_t>();
    const diffusion::Marginal from = process.at(time_of(process, t));
    const diffusion::Marginal to = t == 0 && stays_at_first ? from : process.at(time_of(process, t - 1));
    const diffusion::RddmStep step = diffusion::rddm_step(update, from, to, 1.0);
    const auto one = [i](const at::Tensor& all) { return all.defined() ? all.slice(0, i, i + 1) : at::Tensor(); };
    means.push_back(diffusion::weighted_sum(
        {{step.state, one(x)}, {step.x0, one(x0)}, {step.residual, one(residual)}, {step.eps, one(eps)}}));
    variances.push_back(step.noise.value.square().to(at::kFloat).reshape({1, 1, 1, 1}));
  }
  return {at::cat(means), at::cat(variances)};
}

/// Where official code divides 0 by 0 and records NaN, the noise is gone and this code's step is finite.
at::Tensor with_gaps_of(const at::Tensor& actual, const at::Tensor& recorded) {
  return at::where(recorded.isnan(), recorded, actual);
}

void check_conversions(GoldenCase& golden, const nlohmann::json& item) {
  const std::string out = "out." + item.at("tag").get<std::string>() + ".";
  const auto process = rddm_process_of(item);
  const at::Tensor t = golden.input("t" + std::to_string(process->steps()));
  const at::Tensor x0 = golden.input("x_start"), y = golden.input("x_input"), eps = golden.input("noise"),
                   x = golden.input("x_t"), residual = golden.input("x_res");
  const auto k = diffusion::rddm_coefficients(process->schedule(), t, 4);
  golden.check(out + "q_sample", diffusion::rddm_sample(k, x0, y, eps));
  golden.check(out + "predict_noise_from_res", diffusion::rddm_noise_from_residual(k, x, y, residual));
  golden.check(out + "predict_start_from_xinput_noise", diffusion::rddm_x0_from_noise(k, x, y, eps));
  golden.check(out + "predict_start_from_res_noise", diffusion::rddm_x0_from_both(k, x, residual, eps));

  const Posterior mixed = posterior(*process, diffusion::RddmUpdate::kMixed, t, x, x0, residual, {}, false);
  golden.check(out + "q_posterior.mean", mixed.mean);
  golden.check(out + "q_posterior.variance", mixed.variance);
  const at::Tensor logs = process->schedule().posterior_log_variance_clipped.index({t}).reshape({-1, 1, 1, 1});
  golden.check(out + "q_posterior.log_variance", logs);
  // In the family ddim the first step's differences are 0: this form then leaves the state.
  const bool stays = process->config().coefficients.schedule == "ddim";
  const Posterior relative = posterior(*process, diffusion::RddmUpdate::kRelative, t, x, {}, residual, eps, stays);
  golden.check(out + "q_posterior_from_res_noise",
               with_gaps_of(relative.mean, golden.tensor(out + "q_posterior_from_res_noise")));
}

void check_predictions(GoldenCase& golden, const nlohmann::json& item) {
  const std::string out = "out." + item.at("tag").get<std::string>() + ".";
  const auto process = rddm_process_of(item);
  const at::Tensor x = golden.input("x_t"), t = golden.input("t"), o0 = golden.input("o0"), o1 = golden.input("o1");
  const at::Tensor y = item.value("condition", false) ? golden.input("x_input") : at::zeros_like(x);
  const diffusion::RddmDenoiserConfig objective = rddm_objective_of(item);
  const bool pair = diffusion::rddm_outputs(diffusion::parse_rddm_objective(objective.objective)) == 2;
  std::vector<at::Tensor> residuals, noises, starts, times;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const auto one = [i](const at::Tensor& all) { return all.slice(0, i, i + 1); };
    const diffusion::RddmDenoiser denoiser(
        [&](const at::Tensor&, const diffusion::Condition&, const at::Tensor& time) {
          times.push_back(time.dim() == 2 ? time : time.unsqueeze(1).expand({1, 2}));
          return pair ? at::cat({one(o0), one(o1)}, 1) : one(o0);
        },
        objective, *process);
    const diffusion::Estimates found =
        denoiser(one(x), time_of(*process, t[i].item<std::int64_t>()), diffusion::Condition{one(y)});
    residuals.push_back(found.residual);
    noises.push_back(found.eps);
    starts.push_back(found.x0);
  }
  golden.check(out + "pred_res", at::cat(residuals));
  golden.check(out + "pred_noise", at::cat(noises));
  golden.check(out + "pred_x_start", at::cat(starts));
  if (item.value("p_mean", false))
    golden.check_if_recorded(
        out + "p_mean",
        posterior(*process, diffusion::RddmUpdate::kMixed, t, x, at::cat(starts), at::cat(residuals), {}, false).mean);
  const at::Tensor told = at::cat(times);
  for (const auto& [name, head] : {std::pair("time0", 0), std::pair("time1", 1)}) {
    if (!golden.has(out + name)) continue;
    const at::Tensor recorded = golden.tensor(out + name);
    golden.check(out + name, told.select(1, head).to(recorded.scalar_type()));
  }
}

}  // namespace

/// Forward process, linear relations and posterior of RDDM.
void run_rddm_conversions(GoldenCase& golden) {
  for (const nlohmann::json& item : golden.config().at("items")) check_conversions(golden, item);
}

/// What RDDM makes of its networks' predictions, for every objective and clip.
void run_rddm_predictions(GoldenCase& golden) {
  for (const nlohmann::json& item : golden.config().at("items")) check_predictions(golden, item);
}

}  // namespace reseda::golden
