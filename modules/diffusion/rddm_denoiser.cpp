#include "modules/diffusion/rddm_denoiser.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::diffusion {
namespace {

RddmUse parse_use(const std::string& name) {
  return name == "first" ? RddmUse::kFirst : name == "second" ? RddmUse::kSecond : RddmUse::kBoth;
}

RddmObjective decided(const RddmDenoiserConfig& config) {
  config.validate();
  const RddmObjective objective = parse_rddm_objective(config.objective);
  if (objective != RddmObjective::kAuto) return objective;
  return config.share_of_residual > 0.5 ? RddmObjective::kRes : RddmObjective::kNoise;
}

struct Pair {
  at::Tensor first, second;
};

/// The predictions along the channels of a result; one alone stands for the one in use.
Pair split(const at::Tensor& result, const at::Tensor& x, RddmObjective objective, RddmUse use) {
  const std::int64_t channels = x.size(1), count = result.size(1) / channels;
  RESEDA_REQUIRE(
      result.size(1) % channels == 0 && (count == rddm_outputs(objective) || (count == 1 && use != RddmUse::kBoth)),
      Errc::kInternal, "the network's result must hold ", rddm_outputs(objective), " predictions of the state's ",
      channels, " channels, got ", result.sizes());
  if (count == 2) return {result.narrow(1, 0, channels), result.narrow(1, channels, channels)};
  return use == RddmUse::kSecond ? Pair{{}, result} : Pair{result, {}};
}

}  // namespace

void RddmDenoiserConfig::validate() const {
  const RddmObjective parsed = parse_rddm_objective(objective);
  require_choice("objective.use", use, {"both", "first", "second"});
  RESEDA_REQUIRE(use == "both" || parsed == RddmObjective::kResNoise || parsed == RddmObjective::kX0Noise, Errc::kUsage,
                 "objective.use must be both for ", objective, ", got '", use, "'");
  RESEDA_REQUIRE(std::isfinite(clip) && clip >= 0, Errc::kUsage, "objective.clip must be >= 0, got ", clip);
  RESEDA_REQUIRE(std::isfinite(clip_residual) && clip_residual >= 0, Errc::kUsage,
                 "objective.clip_residual must be >= 0, got ", clip_residual);
  require_choice("objective.noise_after_clip", noise_after_clip, {"kept", "derived"});
}

RddmDenoiser::RddmDenoiser(Call call, const RddmDenoiserConfig& config, const Rddm& process)
    : call_(std::move(call)),
      objective_(decided(config)),
      use_(parse_use(config.use)),
      clip_{.x0 = config.clip, .residual = config.clip_residual},
      guard_(config.guard),
      derives_noise_(config.noise_after_clip == "derived"),
      process_(process) {}

RddmCoefficients RddmDenoiser::coefficients(double t) const {
  const Marginal m = process_.at(t);
  const double index = t * static_cast<double>(process_.steps()) - 1.0, whole = std::round(index);
  const bool trained = std::abs(index - whole) < 1e-9 && whole >= 0, last = t == 1.0;
  if (!trained || (last && !guard_)) return {m.b.value, m.c.value, m.a.value};
  // At a trained time the array of 1 - abar: it was rounded by itself, and its last value is a guard.
  const at::Tensor& rest = process_.schedule().one_minus_alphas_cumsum;
  return {m.b.value, m.c.value, rest[static_cast<std::int64_t>(whole)].to(at::kDouble)};
}

Estimates RddmDenoiser::operator()(const at::Tensor& x, double t, const Condition& condition) const {
  const at::Tensor time = network_input_times(process_, at::full({x.size(0)}, t, at::kDouble)).to(x.device());
  const Pair outputs = split(call_(x, condition, time), x, objective_, use_);
  const RddmParts parts =
      rddm_parts(objective_, use_, coefficients(t), outputs.first, outputs.second, x, condition.y, clip_);
  const at::Tensor eps =
      derives_noise_ ? estimates_from(Target::kX0, parts.x0, x, condition.y, process_.at(t), {}).eps : parts.eps;
  return {parts.x0, eps, parts.residual};
}

}  // namespace reseda::diffusion
