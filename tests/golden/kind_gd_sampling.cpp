#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "modules/diffusion/clipped_denoiser.hpp"
#include "modules/diffusion/guided_denoiser.hpp"
#include "modules/diffusion/processes/ddpm.hpp"
#include "modules/diffusion/samplers/ancestral_step.hpp"
#include "modules/diffusion/samplers/ddim_inversion.hpp"
#include "tests/golden/adm_network.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {
namespace {

using diffusion::Denoiser;
using diffusion::Estimates;

/// Keeps what another denoiser says at first.
class FirstEstimates final : public Denoiser {
 public:
  explicit FirstEstimates(const Denoiser& inner) : inner_(inner) {}
  Estimates operator()(const at::Tensor& x, double t, const diffusion::Condition& condition) const override {
    const Estimates found = inner_(x, t, condition);
    if (!first.x0.defined()) first = found;
    return found;
  }
  mutable Estimates first;

 private:
  const Denoiser& inner_;
};

/// One run of a case with the official settings.
struct Run {
  Run(GoldenCase& of, const nlohmann::json& item, nets::Network& network, nets::Network* classifier,
      const at::Tensor& labels)
      : golden(of), settings(item), process(process_config(item.at("diffusion"))) {
    const auto& how = item.at("diffusion");
    plain = std::make_unique<diffusion::NetworkDenoiser>(
        [&network, labels](const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) {
          return network.forward_labelled(x, y, t, labels);
        },
        how.value("predict_xstart", false) ? diffusion::Target::kX0 : diffusion::Target::kEps, process);
    clipped = std::make_unique<diffusion::ClippedDenoiser>(*plain, 1.0, /*derive_noise=*/true, process);
    denoiser = clips() ? clipped.get() : plain.get();
    if (!settings.value("cond", false)) return;
    const auto log_probability = [classifier, labels](const at::Tensor& x, const at::Tensor& t) {
      return classifier->forward(x, {}, t).log_softmax(-1).gather(1, labels.unsqueeze(1));
    };
    guided = std::make_unique<diffusion::GuidedDenoiser>(*denoiser, diffusion::log_gradient(log_probability),
                                                         settings.at("classifier_scale").get<double>(), process);
    denoiser = guided.get();
  }

  static diffusion::DdpmConfig process_config(const nlohmann::json& how) {
    diffusion::DdpmConfig config;
    config.coefficients.schedule = how.at("noise_schedule");
    config.coefficients.steps = how.at("steps");
    config.coefficients.beta_steps = 1000;
    config.coefficients.respacing = how.at("timestep_respacing");
    config.rescale_timesteps = how.value("rescale_timesteps", false);
    return config;
  }

  bool clips() const { return settings.value("clip", true); }
  std::string variance() const {
    const auto& how = settings.at("diffusion");
    if (how.at("learn_sigma").get<bool>()) return "learned_range";
    return how.value("sigma_small", false) ? "fixed_small" : "fixed_large";
  }
  std::string out(const std::string& name) const {
    return "out." + settings.at("name").get<std::string>() + "." + name;
  }
  auto check_steps() {
    return
        [this](std::int64_t step, const at::Tensor& state) { golden.check(out("step" + std::to_string(step)), state); };
  }

  GoldenCase& golden;
  const nlohmann::json& settings;
  diffusion::Ddpm process;
  std::unique_ptr<Denoiser> plain, clipped, guided;
  const Denoiser* denoiser = nullptr;
};

/// Mean, variance, its logarithm and x0 of one item at its own step.
std::vector<at::Tensor> mean_and_variance(const Run& run, const at::Tensor& x, std::int64_t index) {
  const auto count = static_cast<double>(run.process.steps());
  const auto at = [&](std::int64_t i) { return run.process.at(static_cast<double>(i + 1) / count); };
  const auto kind = diffusion::parse_step_variance(run.variance());
  diffusion::AncestralStep step = diffusion::ancestral_step(at(index), at(index - 1), "test");
  const diffusion::Coef before = index > 0 ? step.posterior : diffusion::ancestral_step(at(1), at(0), "test").posterior;
  if (index == 0) step = diffusion::last_step(kind, step, before);
  const Estimates found = (*run.denoiser)(x, static_cast<double>(index + 1) / count, {});
  const at::Tensor variance = diffusion::step_variance(kind, step, found.variance_share).value.expand(x.sizes());
  // The logarithm of a fixed small variance is clipped, the variance is not.
  const at::Tensor logarithm =
      kind == diffusion::StepVariance::kFixedSmall ? before.value.log().expand(x.sizes()) : variance.log();
  return {step.state * x + step.x0 * found.x0, variance, logarithm, found.x0};
}

void check_mean_variance(const Run& run) {
  const at::Tensor x = run.golden.input("x"), indices = run.golden.input("t_respaced");
  std::vector<std::vector<at::Tensor>> columns(4);
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const auto row = mean_and_variance(run, x.slice(0, i, i + 1), indices[i].item<std::int64_t>());
    for (std::size_t k = 0; k < columns.size(); ++k) columns[k].push_back(row[k]);
  }
  const char* names[] = {"mean", "variance", "log_variance", "pred_xstart"};
  for (std::size_t k = 0; k < columns.size(); ++k) run.golden.check(run.out(names[k]), at::cat(columns[k]));
}

void check_inversion(Run& run) {
  ZeroNoise noise;
  diffusion::SampleContext context{.noise = noise, .item = "", .on_step = {}, .trace = run.check_steps()};
  diffusion::invert_ddim(run.golden.input("x"), run.process, *run.denoiser, context);
}

/// Takes one draw per step from the list, whether the sampler here uses it or not.
void check_sampling(Run& run, std::vector<at::Tensor>& draws) {
  const at::Tensor x = run.golden.input("x");
  const bool ancestral = run.settings.at("op") == "p_sample";
  const auto steps = static_cast<std::ptrdiff_t>(run.process.steps());
  std::vector<at::Tensor> own = {x};
  own.insert(own.end(), draws.begin(), draws.begin() + steps);
  draws.erase(draws.begin(), draws.begin() + steps);
  RecordedNoise noise(own);
  nlohmann::json sampler = {{"name", "ddpm_ancestral"}, {"variance", run.variance()}};
  if (!ancestral)
    sampler = {{"name", "bridge_ddim"}, {"steps", steps}, {"grid", "trailing"}, {"eta", run.settings.at("eta")}};
  const FirstEstimates denoiser(*run.denoiser);
  diffusion::SampleContext context{.noise = noise, .item = "", .on_step = {}, .trace = run.check_steps()};
  diffusion::make_sampler(to_config(sampler))->run(at::zeros_like(x), run.process, denoiser, context);
  const bool before_guidance = ancestral && denoiser.first.unguided_x0.defined();
  run.golden.check(run.out("pred_xstart0"), before_guidance ? denoiser.first.unguided_x0 : denoiser.first.x0);
}

}  // namespace

/// Steps and whole runs of DDPM, DDIM and its inversion, with and without a classifier's guidance.
void run_gd_sampling(GoldenCase& golden) {
  const auto network = make_adm("adm_unet", golden.config().at("model"), golden.weights());
  std::shared_ptr<nets::Network> classifier;
  if (golden.config().contains("classifier"))
    classifier = make_adm("adm_classifier", golden.config()["classifier"], golden.weights("cls."));
  if (golden.has("in.t_respaced")) golden.input("t_respaced");
  std::vector<at::Tensor> draws = golden.draws();
  const at::Tensor labels = golden.has("in.y") ? golden.input("y") : at::Tensor();
  const at::InferenceMode inference;
  for (const auto& settings : golden.config().at("runs")) {
    Run run(golden, settings, *network, classifier.get(), labels);
    if (settings.at("op") == "p_mean_variance")
      check_mean_variance(run);
    else if (settings.at("op") == "ddim_reverse")
      check_inversion(run);
    else
      check_sampling(run, draws);
  }
}

}  // namespace reseda::golden
