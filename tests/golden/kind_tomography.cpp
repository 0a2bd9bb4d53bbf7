#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "modules/diffusion/oracles/gaussian.hpp"
#include "modules/inverse/finite_differences.hpp"
#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/solver.hpp"
#include "modules/inverse/solvers/ve_walk.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/ve_process.hpp"

namespace reseda::golden {
namespace {

using inverse::Boundary;

std::unique_ptr<inverse::ForwardOperator> official_radon(const at::Tensor& x, std::int64_t views, bool circle,
                                                         const std::string& adjoint) {
  const nlohmann::json config = {{"name", "radon"},      {"views", views},     {"circle", circle},
                                 {"centre", "official"}, {"adjoint", adjoint}, {"filter", "ramp"}};
  return inverse::make_operator(to_config(config), x.sizes().slice(1));
}

/// Radon, back-projection and filtered back-projection of one run; the exact adjoint is checked against apply().
void run_projections(GoldenCase& golden, const nlohmann::json& run, const at::Tensor& sinogram) {
  const at::Tensor x = golden.input(run.at("x").get<std::string>());
  const std::string out = "out." + run.at("name").get<std::string>() + ".";
  const bool circle = run.value("circle", false);
  const auto op = official_radon(x, run.at("views").get<std::int64_t>(), circle, "official");
  const at::Tensor y = op->apply(x);
  golden.check(out + "A", y);
  golden.check(out + "AT", op->adjoint(sinogram));
  golden.check(out + "A_dagger", op->pseudo_inverse(y));
  golden.check(out + "AT_of_A", op->adjoint(y));
  if (!run.value("all", false)) return;
  const auto all = official_radon(x, 180, circle, "official");
  golden.check(out + "A_all", all->apply(x));
  golden.check(out + "A_all_dagger", all->pseudo_inverse(all->apply(x)));
}

nlohmann::json operator_of(const nlohmann::json& run) {
  if (run.at("op") == "ct")
    return {{"name", "radon"}, {"views", run.at("views")}, {"centre", "official"}, {"adjoint", "official"}};
  return {{"name", "mri"}, {"values", "real"}, {"origin", "corner"}, {"adjoint", "inverse"}};
}

/// The measurement operator of a run; masked transforms take the recorded mask.
std::unique_ptr<inverse::ForwardOperator> mbir_operator(GoldenCase& golden, const nlohmann::json& run) {
  const at::Tensor x = golden.input("x");
  if (run.at("op") == "ct") return inverse::make_operator(to_config(operator_of(run)), x.sizes().slice(1));
  return recorded_mri(x, golden.input("mask"), {}, "real", "corner");
}

nlohmann::json solver_of(const nlohmann::json& run) {
  nlohmann::json solver = {{"name", "diffusion_mbir"},
                           {"t_eps", 1e-10},
                           {"index", "truncated"},
                           {"langevin_norm", "batch"},
                           {"boundary", "wrap"}};
  solver["steps"] = run.at("N");
  solver["snr"] = run.at("snr");
  solver["tv_weight"] = run.at("lamb");
  solver["rho"] = run.at("rho");
  solver["weights"] = "absolute";
  solver["splitting"] = "carried";
  solver["cg_iterations"] = 1;
  solver["final_consistency"] = run.value("final_consistency", false);
  solver["chunk"] = run.at("op") == "ct" ? 12 : 20;
  return solver;
}

void check_sigmas(GoldenCase& golden, const std::string& name, const diffusion::Process& process, std::int64_t count) {
  std::vector<double> sigmas;
  for (std::int64_t i = 0; i < count; ++i)
    sigmas.push_back(process.at(static_cast<double>(i) / static_cast<double>(count - 1)).c.scalar());
  golden.check(name, at::tensor(sigmas, at::kDouble));
}

void run_one_mbir(GoldenCase& golden, const nlohmann::json& run) {
  const std::string name = run.at("name").get<std::string>(), out = "out." + name + ".";
  const auto process = ve_process(run);
  check_sigmas(golden, out + "discrete_sigmas", *process, run.at("N").get<std::int64_t>());
  const auto op = mbir_operator(golden, run);
  const at::Tensor y = op->apply(golden.input("x"));
  golden.check(out + "measurement", y);

  const diffusion::GaussianOracle oracle(golden.input("prior_mean"), run.at("tau").get<double>(), *process);
  diffusion::SampleContext sample{.noise = golden.noise(), .item = golden.name(), .on_step = {}, .trace = {}};
  // What is shrunk in a step follows from the states: D x + u, and u is what shrinking takes away.
  at::Tensor u = at::zeros_like(golden.input("x"));
  sample.trace = [&](std::int64_t step, const at::Tensor& state) {
    const at::Tensor moved = inverse::difference(state, 0, Boundary::kWrap) + u;
    golden.check_if_recorded("mid." + name + ".Dz_plus_u.step" + std::to_string(step), moved);
    u = moved - inverse::shrink(moved, run.at("lamb").get<double>() / run.at("rho").get<double>());
  };
  inverse::SolveContext context{.sample = sample, .sigma_y = 0, .on_step = {}};
  const auto solver = inverse::make_solver(to_config(solver_of(run)));
  golden.check(out + "x", solver->solve(y, {}, *op, *process, oracle, context));
}

}  // namespace

/// Tomography and finite differences of DiffusionMBIR.
void run_ct_radon(GoldenCase& golden) {
  const at::InferenceMode inference;
  const std::vector<at::Tensor> sinograms = golden.draws();
  std::size_t i = 0;
  for (const nlohmann::json& run : golden.config().at("runs")) run_projections(golden, run, sinograms.at(i++));
  const at::Tensor stack = golden.input("stack");
  const std::pair<const char*, std::int64_t> axes[] = {{"z", 0}, {"x", 2}, {"y", 3}};
  for (const auto& [axis, number] : axes) {
    golden.check(std::string("out.D") + axis, inverse::difference(stack, number, Boundary::kWrap));
    golden.check(std::string("out.D") + axis + "T", inverse::difference_adjoint(stack, number, Boundary::kWrap));
  }
  golden.check("out.shrink", inverse::shrink(stack, golden.config().value("shrink", 0.2)));
}

/// DiffusionMBIR with an analytic score.
void run_mbir(GoldenCase& golden) {
  const at::InferenceMode inference;
  for (const nlohmann::json& run : golden.config().at("runs")) run_one_mbir(golden, run);
  if (golden.has("in.mask")) golden.input("mask");  // recorded for runs without a masked transform too
}

/// The table of a variance-exploding walk.
void run_ve_index(GoldenCase& golden) {
  for (const nlohmann::json& run : golden.config().at("runs")) {
    const std::string out = "out." + run.at("name").get<std::string>() + ".";
    inverse::VeWalkConfig config;
    config.steps = run.at("N").get<std::int64_t>();
    config.t_eps = run.at("eps").get<double>();
    config.index = "truncated";
    std::vector<double> g, sigma;
    std::vector<std::int64_t> index;
    for (const inverse::VeStep& step : inverse::ve_steps("walk", config, *ve_process(run))) {
      index.push_back(step.index);
      g.push_back(step.g);
      sigma.push_back(step.sigma);
    }
    golden.check(out + "index", at::tensor(index, at::kLong));
    golden.check(out + "G", at::tensor(g, at::kDouble), {.rtol = 1e-4});
    golden.check(out + "sigma_label", at::tensor(sigma, at::kDouble), {.rtol = 2e-6});
  }
}

}  // namespace reseda::golden
