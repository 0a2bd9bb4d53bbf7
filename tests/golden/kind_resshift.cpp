#include <ATen/ATen.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "modules/diffusion/samplers/bridge_inversion.hpp"
#include "modules/diffusion/samplers/ddim_step.hpp"
#include "modules/diffusion/samplers/rddm_step.hpp"
#include "modules/train/patch_covariance.hpp"
#include "modules/train/resshift_loss.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/resshift_setup.hpp"

namespace reseda::golden {
namespace {

using diffusion::Marginal;
using diffusion::Process;
using Values = std::map<std::string, std::vector<double>>;

/// Marginals of the items' times and of the times one step before.
struct Step {
  Step(const Process& process, const at::Tensor& indices, std::int64_t dimensions)
      : from(diffusion::marginals(process, times_of(indices, process), dimensions)),
        to(diffusion::marginals(process, times_of(indices - 1, process), dimensions)),
        posterior(diffusion::rddm_step(diffusion::RddmUpdate::kMixed, from, to, 1.0)) {}
  Marginal from, to;
  diffusion::RddmStep posterior;
};

/// Every array that official code keeps of a schedule, and what it gathers of them.
void add_step(Values& out, const Process& process, const train::ResshiftLoss& loss, std::int64_t i) {
  const auto time = [&](std::int64_t index) {
    return static_cast<double>(index + 1) / static_cast<double>(process.steps());
  };
  const auto posterior = [&](std::int64_t index) {
    return diffusion::rddm_step(diffusion::RddmUpdate::kMixed, process.at(time(index)), process.at(time(index - 1)), 1);
  };
  const auto put = [&](const char* name, double value) { out[name].push_back(value); };
  const Marginal from = process.at(time(i)), to = process.at(time(i - 1));
  const diffusion::RddmStep step = posterior(i);
  const double eta = from.b.scalar(), before = to.b.scalar(), c = from.c.scalar();
  const double variance = std::pow(step.noise.scalar(), 2.0);
  const double clipped = std::log(std::pow(posterior(std::max<std::int64_t>(i, 1)).noise.scalar(), 2.0));
  put("sqrt_etas", std::sqrt(eta));
  put("etas", eta);
  put("etas_prev", before);
  put("alpha", eta - before);
  put("posterior_variance", variance);
  put("variance", variance);
  put("posterior_log_variance_clipped", clipped);
  put("log_variance", clipped);
  put("posterior_mean_coef1", step.state.scalar());
  put("posterior_mean_coef2", step.x0.scalar());
  put("ddim_coef1", before * eta);
  put("ddim_coef2", before / eta);
  put("weight_loss_mse", loss.weight(time(i)));
  const diffusion::DdimStep ddim = diffusion::ddim_step(from, to, 0.0);
  const double m = ddim.eps.scalar() / c;
  put("ddim_k", ddim.x0.scalar() - m * from.a.scalar());
  put("ddim_m", m);
  put("ddim_j", ddim.y.scalar() - m * eta);
  put("scale_input", process.network_scale(time(i)));
  put("q_mean_coef_y", eta);
  put("q_variance", c * c);
  put("q_log_variance", std::log(c * c));
  put("timestep_map", process.network_time(time(i)));
}

std::unique_ptr<Process> process_of(const GoldenCase& golden, const nlohmann::json& settings) {
  if (golden.kind() == "u_schedule") return std::make_unique<diffusion::Upsr>(upsr_config(settings));
  return std::make_unique<diffusion::Resshift>(resshift_config(settings, !is_resshift(golden)));
}

/// One parameterisation of the official operators; the network's answer is in.model_out.
void check_operators(GoldenCase& golden, const Process& process, const std::string& type) {
  const at::Tensor x = golden.input("x_t"), y = golden.input("y"), indices = golden.input("t");
  const auto estimate = [&](const Step& step) {
    return diffusion::estimates_from(resshift_target(type), golden.input("model_out"), x, y, step.from, {}).x0;
  };
  const Step step(process, indices, x.dim());
  const at::Tensor x0 = estimate(step);
  for (const bool clip : {false, true}) {
    const at::Tensor used = clip ? x0.clamp(-1, 1) : x0;
    const std::string out = "out." + type + (clip ? ".clip1." : ".clip0.");
    golden.check(out + "pred_xstart", used);
    golden.check(out + "mean", step.posterior.state * x + step.posterior.x0 * used);
  }
  const std::string out = "out." + type + ".";
  golden.check(out + "p_sample",
               step.posterior.state * x + step.posterior.x0 * x0 + step.posterior.noise * golden.input("p_noise"));
  const at::Tensor eps = diffusion::estimates_from(diffusion::Target::kX0, x0, x, y, step.from, {}).eps;
  golden.check(out + "ddim_sample", step.to.a * x0 + step.to.b * y + step.to.c * eps);
  const Step later(process, indices.clamp_min(1), x.dim());
  golden.check(out + "ddim_inverse_tmin1", diffusion::inverse_bridge_step(later.from, later.to, x, estimate(later), y));
}

void check_forward(GoldenCase& golden, const Process& process) {
  const at::Tensor x0 = golden.input("x0"), x = golden.input("x_t"), y = golden.input("y"), z = golden.input("noise"),
                   indices = golden.input("t");
  const Step step(process, indices, x.dim());
  golden.check("out.q_sample", step.from.sample(x0, y, z));
  RecordedNoise noise({z});
  golden.check("out.prior_sample", process.prior(y, noise, ""));
  golden.check("out.scale_input", diffusion::network_input_state(process, x, times_of(indices, process)));
  golden.check("out.eps_from_xstart",
               diffusion::estimates_from(diffusion::Target::kX0, golden.input("model_out"), x, y, step.from, {}).eps);
  golden.check("out.posterior_mean", step.posterior.state * x + step.posterior.x0 * x0);
  golden.check("out.posterior_variance", step.posterior.noise.value.square());
  const Step clipped(process, indices.clamp_min(1), x.dim());
  golden.check("out.posterior_log_variance", clipped.posterior.noise.value.square().log());
  const double c = process.at(1.0).c.scalar();
  golden.check("out.cov_loss", train::patch_covariance_loss(golden.input("cov_noise"), c * c));
}

}  // namespace

/// The schedules of ResShift, DifIISR and UPSR with everything that is computed of them.
void run_resshift_schedules(GoldenCase& golden) {
  const auto& variants = golden.config().at("variants");
  for (std::size_t v = 0; v < variants.size(); ++v) {
    const auto process = process_of(golden, variants[v]);
    const train::ResshiftLoss loss(resshift_target(variants[v].at("predict_type")),
                                   train::ResshiftLoss::Weights::kBound, *process);
    Values values;
    for (std::int64_t i = 0; i < process->steps(); ++i) add_step(values, *process, loss, i);
    const std::string out = "out." + std::to_string(v) + ".";
    for (const auto& [name, list] : values) {
      if (!golden.has(out + name)) continue;
      const at::ScalarType type = golden.tensor(out + name).scalar_type();
      const double rounding = type == at::kDouble ? 1e-9 : 1e-6;
      golden.check(out + name, at::tensor(list, at::kDouble).to(type), {.atol = rounding, .rtol = rounding});
    }
  }
}

/// Forward process, posterior, DDIM and its inverse for every parameterisation, at a time per item.
void run_resshift_operators(GoldenCase& golden) {
  diffusion::ResshiftConfig config = resshift_config(golden.config().at("diffusion"), !is_resshift(golden));
  const diffusion::Resshift process(config);
  for (const std::string type : golden.config().at("predict_types")) check_operators(golden, process, type);
  check_forward(golden, process);
  const at::Tensor x = golden.input("x_t"), indices = golden.input("t");
  config.latent_flag = false;
  golden.check("out.scale_input_pixel",
               diffusion::network_input_state(diffusion::Resshift(config), x, times_of(indices, process)));
  config.coefficients.respacing = golden.config().at("respace");
  const diffusion::Resshift respaced(config);
  const at::Tensor kept = indices.clamp_max(respaced.steps() - 1);
  const Step step(respaced, kept, x.dim());
  golden.check("out.respaced.mean", step.posterior.state * x + step.posterior.x0 * golden.input("model_out"));
  golden.check("out.respaced.net_t", diffusion::network_input_times(respaced, times_of(kept, respaced)).to(at::kLong));
}

}  // namespace reseda::golden
