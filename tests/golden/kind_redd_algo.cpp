// RED-diff and the samplers beside it, around the networks of guided diffusion.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "modules/diffusion/guided_denoiser.hpp"
#include "modules/inverse/solver.hpp"
#include "modules/inverse/solvers/noise_weight.hpp"
#include "modules/inverse/solvers/solver_times.hpp"
#include "tests/golden/adm_network.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/redd_operator.hpp"
#include "tests/golden/redd_settings.hpp"

namespace reseda::golden {
namespace {

using nlohmann::json;

/// Keeps what a run draws, by stream.
class KeptNoise final : public NoiseSource {
 public:
  explicit KeptNoise(NoiseSource& inner) : inner_(inner) {}
  at::Tensor normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype) override {
    const at::Tensor drawn = inner_.normal(key, shape, dtype);
    kept[std::string(key.stream)].push_back(drawn);
    return drawn;
  }
  at::Tensor uniform(const DrawKey& key, at::IntArrayRef shape) override { return inner_.uniform(key, shape); }
  std::map<std::string, std::vector<at::Tensor>> kept;

 private:
  NoiseSource& inner_;
};

/// Keeps states and noise estimates of every call.
class KeptCalls final : public diffusion::Denoiser {
 public:
  explicit KeptCalls(const diffusion::Denoiser& inner) : inner_(inner) {}
  diffusion::Estimates operator()(const at::Tensor& x, double t, const diffusion::Condition& condition) const override {
    const diffusion::Estimates found = inner_(x, t, condition);
    states.push_back(x.detach());
    noises.push_back(found.eps.detach());
    return found;
  }
  mutable std::vector<at::Tensor> states, noises;

 private:
  const diffusion::Denoiser& inner_;
};

/// The prior of a case: network, and classifier where there is one.
struct Prior {
  std::unique_ptr<diffusion::Process> process;
  std::shared_ptr<nets::Network> network, classifier;
  at::Tensor labels;
};

Prior prior_of(GoldenCase& golden) {
  const json& config = golden.config();
  Prior prior;
  prior.process = diffusion::make_process(
      to_config({{"name", "ddpm"}, {"schedule", config.at("diffusion").at("beta_schedule")}, {"single", true}}));
  prior.network = make_adm("adm_unet", config.at("model"), golden.weights());
  if (golden.has("in.y")) prior.labels = golden.input("y");
  if (config.contains("classifier"))
    prior.classifier = make_adm("adm_classifier", config["classifier"], golden.weights("cls."));
  return prior;
}

/// Official factor on the classifier's gradient, of the two times of a jump.
double classifier_scale(const json& run, const diffusion::Process& process, double index) {
  const double scale = run.value("classifier_scale", 1.0);
  const json &algo = run.at("algo"), &grid = run.at("grid");
  if (!algo.value("cond_awd", false)) return scale;
  const auto steps = grid.at("num_steps").get<std::int64_t>(), start = grid.at("start_step").get<std::int64_t>(),
             end = grid.at("end_step").get<std::int64_t>();
  const double all = static_cast<double>(process.steps());
  const auto time = [&](double i) {
    const diffusion::Marginal m = process.at((i + 1) / all);
    return inverse::SolverTime{(i + 1) / all, m.a.scalar(), m.c.scalar()};
  };
  const bool last = static_cast<std::int64_t>(index) == end;
  const inverse::SolverTime from = time(index),
                            to = last ? inverse::kClean : time(index - static_cast<double>((start - end) / steps));
  const double eps = inverse::jump_weights(from, to, algo.at("eta")).eps;
  return scale * to.a / (to.a - eps * from.a / from.c);
}

/// The operator of a run. The factors of blurs and of bicubic scaling, of which ties and signs are not unique, are
/// those of the run or else of the case of operators beside it.
ReddOperator operator_of(GoldenCase& golden, const json& run, const at::Tensor& x, const at::Tensor& index) {
  const std::string name = run.at("name"), deg = run.at("algo").value("deg", "deno");
  ReddOperatorInput input = {
      .masks = run.contains("mask") ? golden.input(run["mask"].get<std::string>()) : at::Tensor(),
      .index = index,
      .basis = "mid." + name + ".",
      .phase_pad = run.value("phase_pad", std::int64_t{64})};
  const std::filesystem::path others = golden.sibling("redd_ops.json");
  const std::string axis = deg.starts_with("bdeblur") ? deg.substr(1) : deg;
  const bool separable = axis.starts_with("deblur") || axis.starts_with("bicubic");
  if (separable && !golden.has(input.basis + "perm") && std::filesystem::exists(others)) {
    GoldenCase recorded(others);
    input.basis = "mid." + axis + ".";
    const bool same_size = recorded.tensor("in.x").sizes().slice(1) == x.sizes().slice(1);
    if (same_size && recorded.has(input.basis + "perm"))
      return make_redd_operator(recorded, deg, x.sizes().slice(1), input);
  }
  return make_redd_operator(golden, deg, x.sizes().slice(1), input);
}

/// What a run left behind.
struct Outcome {
  at::Tensor y, start, result;
  std::vector<inverse::SolverStep> steps;
  std::vector<at::Tensor> states, noises;
  std::map<std::string, std::vector<at::Tensor>> draws;
};

Outcome solve(GoldenCase& golden, const Prior& prior, const json& run) {
  const json& algo = run.at("algo");
  const std::string name = run.at("name");
  at::Tensor x = golden.input("x"), index = golden.has("in.index") ? golden.input("index") : at::Tensor();
  if (run.contains("batch")) {
    x = x.slice(0, 0, run["batch"].get<std::int64_t>());
    if (index.defined()) index = index.slice(0, 0, x.size(0));
  }
  const ReddOperator made = operator_of(golden, run, x, index);
  KeptNoise noise(golden.noise());
  Outcome out;
  out.y = made.op->apply(x);
  const double sigma_y = 2.0 * algo.value("sigma_y", 0.0);
  if (golden.has("out." + name + ".y0")) {
    const at::Tensor flat = golden.tensor("out." + name + ".y0");
    out.y = out.y + sigma_y * noise.normal({"", "measurement"}, flat.sizes(), at::kFloat).reshape(out.y.sizes());
  }
  out.start = algo.value("sdedit", false) ? x : made.pseudo_inverse(out.y);

  const diffusion::NetworkDenoiser plain(
      [&](const at::Tensor& state, const at::Tensor&, const at::Tensor& t) {
        return prior.network->forward_labelled(state, {}, t, prior.labels);
      },
      diffusion::Target::kEps, *prior.process);
  const auto class_gradient = diffusion::log_gradient([&](const at::Tensor& state, const at::Tensor& t) {
    const at::Tensor chosen =
        prior.classifier->forward(state, {}, t).log_softmax(-1).gather(1, prior.labels.unsqueeze(1));
    return chosen.squeeze(1) * classifier_scale(run, *prior.process, t[0].item<double>());
  });
  const diffusion::GuidedDenoiser guided(plain, class_gradient, 1.0, *prior.process);
  const KeptCalls calls(prior.classifier ? static_cast<const diffusion::Denoiser&>(guided) : plain);

  diffusion::SampleContext sample{.noise = noise, .item = name, .on_step = {}, .trace = {}};
  inverse::SolveContext context{
      .sample = sample, .sigma_y = sigma_y, .on_step = [&](const inverse::SolverStep& s) { out.steps.push_back(s); }};
  const auto solver = inverse::make_solver(to_config(redd_solver_config(run, made.inverse_is_identity)));
  out.result = solver->solve(out.y, out.start, *made.op, *prior.process, calls, context);
  if (solver->network_calls() >= 0) {
    EXPECT_EQ(static_cast<std::int64_t>(calls.states.size()), solver->network_calls());
  }
  out.states = calls.states;
  out.noises = calls.noises;
  out.draws = noise.kept;
  return out;
}

at::Tensor reversed(std::vector<at::Tensor> list) { return at::stack(list).flip({0}); }

std::vector<at::Tensor> of_steps(const Outcome& out, at::Tensor inverse::SolverStep::*field) {
  std::vector<at::Tensor> list;
  for (const inverse::SolverStep& step : out.steps) list.push_back(step.*field);
  return list;
}

/// w_t, the two terms and their sum in every step.
at::Tensor loss_table(const Prior& prior, const json& run, const Outcome& out) {
  const json& algo = run.at("algo");
  const std::string name = algo.at("name");
  const double w = algo.at("grad_term_weight");
  std::vector<at::Tensor> rows;
  for (std::size_t k = 0; k < out.steps.size(); ++k) {
    const inverse::SolverStep& step = out.steps[k];
    const diffusion::Marginal m = prior.process->at(step.t);
    const std::string weight = redd_solver_config(run, false).at("denoise_term_weight");
    const double rho = w * inverse::noise_weight(weight, m.c.scalar() / m.a.scalar());
    at::Tensor noise = ((out.noises[k] - out.draws.at("state")[k]) * step.estimate).mean();
    at::Tensor data = step.residual.square().sum() / (2.0 * static_cast<double>(out.y.numel()));
    if (name == "sds" || name == "sds_var") data = at::zeros_like(data);
    if (name == "sds_var") noise = at::zeros_like(noise);
    if (name == "reddiff_parallel") noise = rho * noise;
    rows.push_back(at::stack({at::full_like(noise, rho), noise, data, step.loss.sum()}));
  }
  return at::stack(rows);
}

/// Adam takes full steps where a gradient is nearly 0 and its sign up to rounding: one element in a thousand, rounded
/// up, may exceed the tolerance, by a factor.
void check_most(GoldenCase& golden, const std::string& name, const at::Tensor& actual) {
  constexpr double kFactor = 10;
  const at::Tensor expected = golden.tensor(name).to(at::kDouble);
  const at::Tensor error = (actual.to(at::kDouble).reshape(expected.sizes()) - expected).abs().flatten();
  const double atol = golden.tolerance(name).atol;
  const std::int64_t most = (error.numel() + 999) / 1000;
  const at::Tensor beyond = at::logical_and(error > atol, error <= kFactor * atol).nonzero().squeeze(1);
  at::Tensor compared = actual.reshape(expected.sizes()).clone();
  if (beyond.numel() <= most)
    compared.view(-1).index_copy_(0, beyond, expected.flatten().index_select(0, beyond).to(actual.scalar_type()));
  golden.check(name, compared);
}

/// The deviation of sds_var and its gradient, which the reports hold implicitly.
void check_deviation(GoldenCase& golden, const std::string& name, const Outcome& out) {
  std::vector<at::Tensor> sigmas, gradients;
  at::Tensor mu = out.draws.at("prior")[0];
  for (std::size_t k = 0; k < out.steps.size(); ++k) {
    const inverse::SolverStep& step = out.steps[k];
    const at::Tensor n = out.draws.at("estimate")[k];
    sigmas.push_back((((step.estimate - mu) * n).sum() / n.square().sum()).reshape({1}));
    gradients.push_back((step.loss - (step.gradient * mu).sum()) / sigmas.back());
    mu = step.state;
  }
  golden.check("out." + name + ".sigma_traj", at::stack(sigmas));
  golden.check("mid." + name + ".sigma_grad", at::stack(gradients));
}

void check_optimiser(GoldenCase& golden, const Prior& prior, const json& run, const Outcome& out) {
  const std::string name = run.at("name"), full = "out." + name + ".", mid = "mid." + name + ".";
  golden.check(full + "loss", loss_table(prior, run, out));
  check_most(golden, full + "x0_pred", out.result);
  check_most(golden, full + "mu", out.steps.back().state);
  if (golden.has(full + "y0_after_run"))
    golden.check(full + "y0_after_run", out.steps.back().state.reshape(golden.tensor(full + "y0_after_run").sizes()));
  std::vector<at::Tensor> before = of_steps(out, &inverse::SolverStep::state);
  before.pop_back();
  before.insert(before.begin(), out.start);
  if (golden.has(mid + "mu_traj")) {
    golden.check(mid + "mu_traj", at::stack(before));
    golden.check(mid + "grad", at::stack(of_steps(out, &inverse::SolverStep::gradient)));
    golden.check(mid + "et", at::stack(out.noises));
  }
  if (run.at("algo").at("name") == "sds_var") check_deviation(golden, name, out);
}

void check_sampler(GoldenCase& golden, const std::string& name, const Outcome& out) {
  std::vector<at::Tensor> states = out.states;
  states.push_back(out.result);
  golden.check("out." + name + ".xt", reversed(states));
  if (golden.has("out." + name + ".x0"))
    golden.check("out." + name + ".x0", reversed(of_steps(out, &inverse::SolverStep::estimate)));
}

void check_run(GoldenCase& golden, const Prior& prior, const json& run) {
  const std::string name = run.at("name"), full = "out." + name + ".";
  const Outcome out = solve(golden, prior, run);
  if (golden.has(full + "y0")) golden.check(full + "y0", out.y.reshape(golden.tensor(full + "y0").sizes()));
  if (golden.has(full + "deg")) golden.check(full + "deg", out.start);
  const json& grid = run.at("grid");
  const inverse::SolverTimesConfig times{.steps = grid.at("num_steps"),
                                         .grid = "strided",
                                         .start_step = grid.at("start_step"),
                                         .end_step = grid.at("end_step")};
  golden.check(full + "ts", at::tensor(inverse::table_steps(times, prior.process->steps()), at::kLong).flip({0}));
  if (golden.has(full + "loss")) {
    check_most(golden, full + "image", (out.result + 1) / 2);
    check_optimiser(golden, prior, run, out);
  } else {
    golden.check(full + "image", (out.result + 1) / 2);
    check_sampler(golden, name, out);
  }
}

}  // namespace

/// RED-diff, its variants, and DDIM, PiGDM, DPS, MCG, DDRM as its repository has them.
void run_redd_algo(GoldenCase& golden) {
  const Prior prior = prior_of(golden);
  const at::InferenceMode inference;
  for (const json& run : golden.config().at("runs")) {
    if (golden.config().value("share_draws", false)) golden.rewind_noise();
    check_run(golden, prior, run);
  }
  for (const char* unused : {"in.mask_eq", "in.mask_free", "in.index"})
    if (golden.has(unused)) golden.tensor(unused);
  // Factors of operators that are known in closed form.
  for (const std::string& name : golden.names("mid."))
    if (name.ends_with("singulars") || name.ends_with("_small") || name.ends_with("perm")) golden.tensor(name);
}

}  // namespace reseda::golden
