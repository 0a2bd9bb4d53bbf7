#include <ATen/ATen.h>

#include <cmath>
#include <string>
#include <vector>

#include "modules/diffusion/processes/ddpm_schedule.hpp"
#include "modules/diffusion/sampler.hpp"
#include "modules/diffusion/samplers/ancestral_step.hpp"
#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {
namespace {

constexpr const char* kName = "ddpm_ancestral";
constexpr std::int64_t kContinuousSteps = 100;

struct DdpmAncestralConfig {
  std::int64_t steps = 0;
  std::string variance = "fixed_small";
  double clip = 0.0;
  template <class V>
  void fields(V& v) {
    v("steps", steps, "network calls, spread over the process's steps as official respacing does; 0: every step");
    v("variance", variance,
      "of a step: fixed_small (the posterior's), fixed_large (beta) or learned_range (the network says where between)");
    v("clip", clip, "estimates of x0 are clipped to this (official 1); 0 clips nothing");
  }
  void validate() const {
    RESEDA_REQUIRE(steps >= 0 && steps <= 100000, Errc::kUsage, "sampler.steps must be in 0 to 100000, got ", steps);
    RESEDA_REQUIRE(std::isfinite(clip) && clip >= 0, Errc::kUsage, "sampler.clip must be >= 0, got ", clip);
    parse_step_variance(variance);
  }
};

/// Times of the calls, falling; a process of continuous time has even ones in (0, t_start].
std::vector<double> times_of(const Process& process, std::int64_t steps) {
  std::vector<double> times;
  const std::int64_t table = process.steps();
  if (table == 0) {
    const std::int64_t calls = steps == 0 ? kContinuousSteps : steps;
    for (std::int64_t i = 0; i < calls; ++i)
      times.push_back(process.t_start() * (1.0 - static_cast<double>(i) / static_cast<double>(calls)));
    return times;
  }
  // A process that starts below the end of its table is spaced over what is left of it.
  const std::int64_t most = std::llround(process.t_start() * static_cast<double>(table));
  RESEDA_REQUIRE(steps <= most, Errc::kUsage, "sampler.steps of ", kName, " must be at most the process's ", most,
                 " steps, got ", steps);
  const auto kept = space_timesteps(most, std::to_string(steps == 0 ? most : steps));
  for (auto i = kept.rbegin(); i != kept.rend(); ++i)
    times.push_back(static_cast<double>(*i + 1) / static_cast<double>(table));
  return times;
}

/// DDPM's sampler: from each time to the next by the posterior, see ancestral_step, with the estimate of x0 in place of
/// x0,
///   x' = mean(x, x0, y) + v g + sqrt(v) z,
/// v one of its variances, g the gradient of a GuidedDenoiser, or 0. The last step goes to the clean end without
/// noise, its v as last_step has it. Draws: (item, "prior", 0) by the process; ("predictor", i) in step i, also in the
/// last, where it has no weight. Source: Ho et al. 2020, "Denoising Diffusion Probabilistic Models", Algorithm 2;
/// Nichol & Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models", Sec. 3; Dhariwal & Nichol 2021,
/// "Diffusion Models Beat GANs on Image Synthesis", Algorithm 1. Official: openai/guided-diffusion,
/// guided_diffusion/gaussian_diffusion.py, p_sample.
class DdpmAncestral final : public Sampler {
 public:
  explicit DdpmAncestral(DdpmAncestralConfig config)
      : config_(std::move(config)), variance_(parse_step_variance(config_.variance)) {}

  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override {
    const std::vector<double> times = times_of(process, config_.steps);
    const auto steps = static_cast<std::int64_t>(times.size());
    Condition condition{y};
    at::Tensor x = process.prior(y, context.noise, context.item);
    RESEDA_REQUIRE(config_.clip == 0 || !x.is_complex(), Errc::kUsage, "sampler.clip of ", kName,
                   " must be 0 for complex signals");
    Coef posterior_before;
    for (std::int64_t i = 0; i < steps; ++i) {
      const auto place = static_cast<std::size_t>(i);
      const bool last = i + 1 == steps;
      AncestralStep step = ancestral_step(process.at(times[place]),
                                          last ? Marginal{1.0, 0.0, 0.0} : process.at(times[place + 1]), kName);
      if (last) step = last_step(variance_, step, i > 0 ? posterior_before : step.forward);
      const Estimates found = denoiser(x, times[place], condition);
      condition.x0_before = found.x0;
      x = advance(step, found, x, y, last, draw_like(context, "predictor", i, x));
      posterior_before = step.posterior;
      after_step(context, i + 1, steps, x);
    }
    return x;
  }

  std::int64_t network_calls() const override { return config_.steps > 0 ? config_.steps : -1; }

 private:
  at::Tensor advance(const AncestralStep& step, const Estimates& found, const at::Tensor& x, const at::Tensor& y,
                     bool last, const at::Tensor& z) const {
    const at::Tensor& known = found.unguided_x0.defined() ? found.unguided_x0 : found.x0;
    const at::Tensor x0 = config_.clip > 0 ? known.clamp(-config_.clip, config_.clip) : known;
    const bool guided = found.guidance.defined();
    const Coef variance = last && !guided ? Coef(0.0) : step_variance(variance_, step, found.variance_share);
    return weighted_sum({{step.state, x},
                         {step.x0, x0},
                         {step.y, y},
                         {variance, found.guidance},
                         {last ? Coef(0.0) : Coef(variance.value.sqrt()), z}});
  }

  DdpmAncestralConfig config_;
  StepVariance variance_;
};

}  // namespace

const SamplerEntry& sampler_entry_ddpm_ancestral() {
  static const auto entry = make_component<Sampler, DdpmAncestral, DdpmAncestralConfig>(
      kName, "stochastic sampler over steps of the process, with fixed or learned variance (DDPM)");
  return entry;
}

}  // namespace reseda::diffusion
