#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <vector>

#include "modules/diffusion/sampler.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/golden_model.hpp"

namespace reseda::golden {
namespace {

/// One run of the probability-flow ODE; `last_time` is that of the latest evaluation, which on acceptance is the new
/// time.
struct OdeRun {
  at::Tensor x;
  std::int64_t calls = 0;
  std::vector<double> accepted = {1.0};
};

OdeRun run_once(GoldenCase& golden, const GoldenModel& model, double tolerance, const std::string& denoise) {
  const nlohmann::json& settings = golden.config().at("sampler");
  const auto sampler = diffusion::make_sampler(to_config({{"name", "pf_ode"},
                                                          {"method", "rk45"},
                                                          {"rtol", tolerance},
                                                          {"atol", tolerance},
                                                          {"steps", settings.at("N_legacy")},
                                                          {"t_eps", settings.at("eps")},
                                                          {"denoise", denoise}}));
  OdeRun run;
  double last_time = 1.0;
  const auto call = [&](const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) {
    ++run.calls;
    last_time = t[0].item<double>();
    return model.parametrized.call(x, y, t);
  };
  const diffusion::NetworkDenoiser denoiser(call, model.parametrized.target, *model.process);
  golden.rewind_noise();
  diffusion::SampleContext context{.noise = golden.noise(), .item = golden.name(), .on_step = {}, .trace = {}};
  context.on_step = [&](const Progress& progress) {
    if (progress.total == 0) run.accepted.push_back(last_time);
    return true;
  };
  run.x = sampler->run(golden.input("y"), *model.process, denoiser, context);
  return run;
}

}  // namespace

/// The probability-flow ODE at several tolerances, with and without the denoising step in both lengths.
void run_ode(GoldenCase& golden) {
  const at::InferenceMode inference;
  const GoldenModel model = make_model(golden.config().at("model"), golden.weights());
  for (const auto& [name, tolerance] : golden.config().at("sampler").at("tols").items()) {
    const OdeRun plain = run_once(golden, model, tolerance.get<double>(), "none");
    golden.check("out.x_" + name, plain.x);
    golden.check("out.nfe_" + name, at::scalar_tensor(plain.calls, at::kLong));
    const auto accepted = static_cast<std::int64_t>(plain.accepted.size());
    // Steps follow from an error estimate that is close to float32 rounding at tight tolerances.
    golden.check("mid.t_" + name, at::tensor(plain.accepted, at::kFloat), {.atol = 5e-3});
    golden.check("mid.n_accepted_" + name, at::scalar_tensor(accepted - 1, at::kLong));
    golden.check("out.x_denoised_step_teps_" + name, run_once(golden, model, tolerance.get<double>(), "t_eps").x);
    golden.check("out.x_denoised_step_1_over_N_" + name, run_once(golden, model, tolerance.get<double>(), "1/N").x);
  }
}

}  // namespace reseda::golden
