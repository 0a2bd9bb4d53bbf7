#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "modules/diffusion/processes/sb_ve.hpp"
#include "modules/diffusion/samplers/reverse_step.hpp"
#include "modules/diffusion/samplers/sb_schedule.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/golden_model.hpp"

namespace reseda::golden {
namespace {

using diffusion::Process;

at::Tensor scalars(const std::vector<double>& values) { return at::tensor(values, at::kFloat); }

/// The forward and reverse coefficients, one time per item of the batch.
void check_items(GoldenCase& golden, const Process& process) {
  const at::Tensor x0 = golden.input("x0"), x = golden.input("x"), y = golden.input("y"), t = golden.input("t");
  const at::Tensor score = golden.input("score");
  std::vector<double> std_of, g_of, a_of;
  std::vector<at::Tensor> mean, drift, reverse, flow;
  for (std::int64_t i = 0; i < t.size(0); ++i) {
    const double time = t[i].item<double>();
    const diffusion::Marginal marginal = process.at(time);
    const diffusion::ForwardSde sde = diffusion::forward_sde(marginal, process.rate(time));
    const double g = sde.g.scalar();
    std_of.push_back(marginal.c.scalar());
    g_of.push_back(g);
    a_of.push_back(marginal.a.scalar());
    mean.push_back(marginal.mean(x0[i], y[i]));
    drift.push_back(sde.f * x[i] + sde.h * y[i]);
    reverse.push_back(drift.back() - g * g * score[i]);
    flow.push_back(drift.back() - 0.5 * g * g * score[i]);
  }
  golden.check("out.mean", at::stack(mean));
  golden.check("out.std", scalars(std_of));
  golden.check("out.diffusion", scalars(g_of));
  if (!golden.has("out.drift")) return;
  golden.check("out.alpha", scalars(a_of));
  golden.check("out.drift", at::stack(drift));
  golden.check("out.reverse_drift", at::stack(reverse));
  golden.check("out.reverse_drift_pf", at::stack(flow));
}

/// One step of given length, forward and backward.
void check_steps(GoldenCase& golden, const Process& process) {
  if (!golden.has("in.stepsize")) return;
  const at::Tensor x = golden.input("x"), y = golden.input("y"), t = golden.input("t"), score = golden.input("score");
  const double dt = golden.input("stepsize").item<double>();
  if (!golden.has("out.discretize_f")) return;
  std::vector<double> noise;
  std::vector<at::Tensor> forward, reverse;
  for (std::int64_t i = 0; i < t.size(0); ++i) {
    const double time = t[i].item<double>();
    const diffusion::ReverseStep step = diffusion::reverse_step(process, time, dt);
    const diffusion::ForwardSde sde = diffusion::forward_sde(process.at(time), process.rate(time));
    const at::Tensor eps = -(process.at(time).c * score[i]);
    forward.push_back(dt * (sde.f * x[i] + sde.h * y[i]));
    reverse.push_back(x[i] - step.mean(x[i], y[i], {{}, eps}));
    noise.push_back(step.noise.scalar());
  }
  golden.check("out.discretize_f", at::stack(forward));
  golden.check("out.discretize_G", scalars(noise));
  golden.check("out.reverse_discretize_f", at::stack(reverse));
  golden.check("out.reverse_discretize_G", scalars(noise));
}

/// The official float32 schedule of the Schroedinger bridge.
void check_schedule(GoldenCase& golden, const Process& process) {
  if (!golden.has("out.sigma_t")) return;
  const auto* bridge = dynamic_cast<const diffusion::SbVe*>(&process);
  RESEDA_INVARIANT(bridge != nullptr);
  const at::Tensor t = golden.input("t");
  const diffusion::SbSchedule schedule = diffusion::sb_schedule(bridge->config(), t);
  golden.check("out.sigma_t", schedule.s);
  golden.check("out.sigma_bart", schedule.r);
  golden.check("out.sigma_T", schedule.total);
  for (const char* name : {"out.alpha_t", "out.alpha_T", "out.alpha_bart"}) golden.check(name, at::ones_like(t));
}

}  // namespace

/// The coefficient functions of a forward process.
void run_sde(GoldenCase& golden) {
  const auto process = make_bridge(golden.config().at("sde"));
  check_items(golden, *process);
  check_steps(golden, *process);
  check_schedule(golden, *process);
  golden.check("out.prior", process->prior(golden.input("y"), golden.noise(), golden.name()));
  const nlohmann::json& grid = golden.config().at("grid");
  const at::Tensor times = at::linspace(1.0, grid.at(0).get<double>(), grid.at(1).get<std::int64_t>(), at::kFloat);
  std::vector<double> std_of;
  for (std::int64_t i = 0; i < times.size(0); ++i) std_of.push_back(process->at(times[i].item<double>()).c.scalar());
  golden.check("out.t_grid", times);
  golden.check("out.std_grid", scalars(std_of));
}

}  // namespace reseda::golden
