#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "modules/diffusion/sampler.hpp"
#include "modules/diffusion/samplers/rddm_from_ddim.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/rddm_variant.hpp"
#include "tests/golden/residual_network.hpp"

namespace reseda::golden {
namespace {

/// The run's own settings over those of the case.
nlohmann::json settings_of(const nlohmann::json& config, const nlohmann::json& run) {
  nlohmann::json settings = config.at("diffusion");
  settings.update(run.value("diffusion", nlohmann::json::object()));
  settings.update(run.value("set", nlohmann::json::object()));
  settings["variant"] = config.at("variant");
  settings["init"] = run.value("init", false);
  return settings;
}

/// Restoration starts deterministic unless told otherwise after construction; some experiments always are.
double eta_of(const nlohmann::json& settings, const nlohmann::json& run) {
  const std::string variant = settings.at("variant").get<std::string>();
  if (variant == "E3" || variant == "E4" || variant == "E5" || variant == "E0joint") return 0.0;
  if (settings.value("condition", false))
    return run.value("set", nlohmann::json::object()).value("ddim_sampling_eta", 0.0);
  return settings.value("ddim_sampling_eta", 0.0);
}

nlohmann::json sampler_of(const nlohmann::json& settings, const nlohmann::json& run) {
  const auto all = settings.at("timesteps").get<std::int64_t>();
  const std::int64_t steps = settings.value("sampling_timesteps", all);
  if (steps == all) return {{"name", "rddm_ancestral"}};
  const double eta = eta_of(settings, run);
  const std::string type = run.value("type", "use_pred_noise");
  const bool two_pass = settings.at("variant") == "E0";
  nlohmann::json sampler = {{"name", two_pass ? "rddm_two_pass" : "rddm_ddim"}, {"steps", steps}, {"eta", eta}};
  sampler["update"] = type == "use_x_start" ? "mixed" : "relative";
  if (type == "special_eta_0") sampler["eta"] = 0.0;
  if (type == "special_eta_1") {
    sampler["eta"] = 1.0;
    sampler["noise_scale"] = eta > 0 ? 1.0 : 0.0;
  }
  return sampler;
}

at::Tensor mapped(const at::Tensor& image) { return image * 2 - 1; }

/// What every run of a case shares.
struct Inputs {
  at::Tensor y, mask;
  std::vector<at::Tensor> draws;
};

Inputs inputs_of(GoldenCase& golden) {
  const nlohmann::json& config = golden.config();
  Inputs in;
  if (golden.has("in.mask")) in.mask = golden.input("mask");
  in.draws = golden.draws();
  in.y = golden.has("in.x_input") ? mapped(golden.input("x_input")) : at::zeros_like(in.draws.at(0));
  RESEDA_INVARIANT(golden.has("in.x_input") || in.y.size(0) == config.at("batch").get<std::int64_t>());
  return in;
}

void run_one(GoldenCase& golden, const ResidualNetwork& made, const Inputs& in, const nlohmann::json& run) {
  const nlohmann::json settings = settings_of(golden.config(), run);
  const auto process = rddm_process_of(settings);
  const bool conditional = settings.value("condition", false);
  made.set(run.value("net", nlohmann::json::object()));

  diffusion::Condition shown;
  if (made.condition_channels > 0) {
    shown.y = in.y;
    if (in.mask.defined()) {
      const at::Tensor mask = settings.value("input_condition_mask", false) ? in.mask : mapped(in.mask);
      shown.y = at::cat({in.y, mask}, 1);
    }
  }
  std::vector<at::Tensor> images;
  const auto keep = [&](const at::Tensor& state) { images.push_back((state + 1) * 0.5); };
  const diffusion::RddmDenoiser denoiser(
      [&](const at::Tensor& x, const diffusion::Condition& condition, const at::Tensor& t) {
        if (images.empty() && conditional) keep(x);
        const bool feeds_back = made.network->self_conditioned();
        return made.network->forward_given(x, shown.y, t, feeds_back ? condition.x0_before : at::Tensor());
      },
      rddm_objective_of(settings), *process);
  RecordedNoise noise(in.draws);
  diffusion::SampleContext context{.noise = noise, .item = golden.name(), .on_step = {}, .trace = {}};
  context.trace = [&](std::int64_t, const at::Tensor& state) { keep(state); };
  diffusion::make_sampler(to_config(sampler_of(settings, run)))->run(in.y, *process, denoiser, context);
  const std::string tag = run.at("tag").get<std::string>();
  golden.check("out." + tag + ".images", at::stack(images));
  EXPECT_EQ(noise.used(), run.at("draws_used").get<std::size_t>()) << golden.name() << ": " << tag;
}

struct E1 {
  nlohmann::json process, sampler;
};

E1 e1_of(const nlohmann::json& run) {
  const nlohmann::json scheduler = run.value("scheduler", nlohmann::json::object());
  E1 out;
  out.process = {{"name", "rddm"}, {"schedule", "ddim"}, {"start", "noise"}};
  out.process["steps"] = scheduler.value("num_train_timesteps", 1000);
  out.process["betas"] = scheduler.value("beta_schedule", "linear");
  out.process["beta_first"] = scheduler.value("beta_start", 1e-4);
  out.process["beta_last"] = scheduler.value("beta_end", 0.02);
  out.sampler = {{"name", "rddm_from_ddim"}, {"steps", run.at("steps")}};
  out.sampler["eta"] = run.value("eta", 0.0);
  out.sampler["form"] = run.at("to_RDDM").get<bool>() ? "residual" : "ddim";
  out.sampler["clip"] = scheduler.value("clip_sample", true) ? scheduler.value("clip_sample_range", 1.0) : 0.0;
  out.sampler["clipped_noise"] = run.value("use_clipped", false);
  if (run.value("adjust_alpha", false)) {
    out.sampler["residual"] = run.at("schedule");
    out.sampler["residual_power"] = run.value("ratio", 1.0);
  }
  return out;
}

/// The coefficient of the residual where it is not the converted one.
at::Tensor growth_of(const E1& settings, std::int64_t steps) {
  if (!settings.sampler.contains("residual")) return {};
  return diffusion::rddm_weights("power", settings.sampler["residual"].get<std::string>(), steps, 1.0,
                                 settings.sampler["residual_power"].get<double>())
      .to(at::kDouble)
      .cumsum(0)
      .clamp(0, 1);
}

}  // namespace

/// RDDM's samplers around its networks, with every state they pass through.
void run_rddm_sample(GoldenCase& golden) {
  const c10::InferenceMode inference;
  const ResidualNetwork made = make_residual_network(golden.config(), golden.weights());
  const Inputs in = inputs_of(golden);
  for (const nlohmann::json& run : golden.config().at("runs")) run_one(golden, made, in, run);
}

/// A DDIM network sampled as residual diffusion. The recorded network is 0.3 x + a constant of the step.
void run_rddm_from_ddim(GoldenCase& golden) {
  const c10::InferenceMode inference;
  const at::Tensor constants = golden.input("eps");
  const std::vector<at::Tensor> draws = golden.draws();
  for (const nlohmann::json& run : golden.config().at("runs")) {
    const std::string out = "out." + run.at("tag").get<std::string>() + ".";
    const E1 settings = e1_of(run);
    const auto process = diffusion::make_process(to_config(settings.process));
    const at::Tensor growth = growth_of(settings, process->steps());
    const double clip = settings.sampler.at("clip").get<double>();
    std::vector<std::int64_t> indices;
    std::vector<at::Tensor> states, starts;
    const diffusion::NetworkDenoiser denoiser(
        [&](const at::Tensor& x, const at::Tensor&, const at::Tensor& t) {
          indices.push_back(t[0].item<std::int64_t>());
          const at::Tensor eps = 0.3 * x + constants[static_cast<std::int64_t>(indices.size()) - 1];
          const double time = static_cast<double>(indices.back() + 1) / static_cast<double>(process->steps());
          const diffusion::Marginal m = process->at(time);
          const double abar = growth.defined() ? growth[indices.back()].item<double>() : m.b.scalar();
          const at::Tensor x0 = diffusion::rddm_from_ddim_parts(m.a.scalar(), m.c.scalar(), abar, x, eps).x0;
          starts.push_back(clip > 0 ? x0.clamp(-clip, clip) : x0);
          return eps;
        },
        diffusion::Target::kEps, *process);
    RecordedNoise noise(draws);
    diffusion::SampleContext context{.noise = noise, .item = golden.name(), .on_step = {}, .trace = {}};
    context.trace = [&](std::int64_t, const at::Tensor& state) { states.push_back(state); };
    diffusion::make_sampler(to_config(settings.sampler))->run(at::zeros_like(draws[0]), *process, denoiser, context);
    golden.check(out + "prev_sample", at::stack(states));
    golden.check(out + "timesteps", at::tensor(indices, at::kLong));
    golden.check(out + "pred_original_sample", at::stack(starts));
  }
}

}  // namespace reseda::golden
