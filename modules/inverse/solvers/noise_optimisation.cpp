#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <numbers>

#include "modules/inverse/discrete_adjoint.hpp"
#include "modules/inverse/solvers/adam_step.hpp"
#include "modules/inverse/solvers/decorrelation.hpp"
#include "modules/inverse/solvers/guided_walk.hpp"

namespace reseda::inverse {
namespace {

ConfigNode default_sampler() {
  ConfigNode node = ConfigNode::map();
  node["name"] = ConfigNode("bridge_ddim");
  node["steps"] = ConfigNode("10");
  return node;
}

struct NoiseOptimisationConfig {
  ConfigNode sampler = default_sampler();
  std::int64_t steps = 300;
  double lr = 0.05;
  double beta2 = 0.999;
  std::int64_t warm_up = 50;
  bool unit_gradient = true;
  double prior_weight = 1.0;
  double decorrelation_weight = 0.0;
  double distance_weight = 0.0;
  double perturbation = 0.0;
  double sigma_floor = 0.002;
  template <class V>
  void fields(V& v) {
    v("sampler", sampler, "the sampler that is differentiated: x0 as a function of its start noise");
    v("steps", steps, "steps of Adam, each a run of the sampler there and back");
    v("lr", lr, "largest learning rate; falls to 0 by a half cosine");
    v("beta2", beta2, "Adam's decay of the squares; smaller where unit_gradient is off and the gradients shrink");
    v("warm_up", warm_up, "steps over which the learning rate rises from 0");
    v("unit_gradient", unit_gradient, "scale each item's gradient to norm 1 (official)");
    v("prior_weight", prior_weight, "weight of |z|^2 / 2, the start noise's own density; 0 official");
    v("decorrelation_weight", decorrelation_weight, "weight of the start noise's correlation between neighbours");
    v("distance_weight", distance_weight, "weight of the distance |z - z_0| from the first noise");
    v("perturbation", perturbation, "scale of the noise added to z in every step, times the schedule");
    v("sigma_floor", sigma_floor, "smallest sigma_y that is reckoned with, in units of y");
  }
  void validate() const {
    RESEDA_REQUIRE(steps >= 1 && steps <= 100000, Errc::kUsage, "solver.steps must be in 1 to 100000, got ", steps);
    RESEDA_REQUIRE(std::isfinite(lr) && lr > 0, Errc::kUsage, "solver.lr must be > 0, got ", lr);
    RESEDA_REQUIRE(beta2 >= 0 && beta2 < 1, Errc::kUsage, "solver.beta2 must be in [0, 1), got ", beta2);
    RESEDA_REQUIRE(warm_up >= 0, Errc::kUsage, "solver.warm_up must be >= 0, got ", warm_up);
    require_not_negative("prior_weight", prior_weight);
    require_not_negative("decorrelation_weight", decorrelation_weight);
    require_not_negative("distance_weight", distance_weight);
    require_not_negative("perturbation", perturbation);
    RESEDA_REQUIRE(std::isfinite(sigma_floor) && sigma_floor > 0, Errc::kUsage, "solver.sigma_floor must be > 0, got ",
                   sigma_floor);
  }
};

/// Value and gradient of what is minimised, per item.
struct Objective {
  at::Tensor loss, gradient;
};

/// Searches the start noise z whose sample x0(z) fits the measurement best, by Adam on
///   |y - H(x0(z))|^2 / (2 sigma_y^2) + p |z|^2 / 2 + c R(z) + d |z - z_0|
/// with the gradient through the whole sampler, see AdjointDenoiser; R of decorrelation(). The learning rate of step k
/// of N is lr min(1, k / warm_up) (1 + cos(pi k / N)) / 2. With p = 1, c = d = 0 and a sampler that is exact for
/// Gaussian data the result is the posterior's mean there. Any operator; `start` is not used.
/// Draws: ("prior", 0) = z_0, those of the sampler (the same in every step), ("perturbation", k) where it is > 0.
/// Source: Karunratanakul et al. 2024, "Optimizing Diffusion Noise Can Serve As Universal Motion Priors", Sec. 3.
/// Official: korrawe/Diffusion-Noise-Optimization, dno.py (prior_weight: 0, decorrelation_weight: 1000, steps: 500).
class NoiseOptimisation final : public Solver {
 public:
  explicit NoiseOptimisation(NoiseOptimisationConfig config)
      : config_(std::move(config)), sampler_(diffusion::make_sampler(config_.sampler, "solver.sampler")) {}

  at::Tensor solve(const at::Tensor& y, const at::Tensor& /*start*/, const ForwardOperator& op,
                   const diffusion::Process& process, const diffusion::Denoiser& denoiser,
                   SolveContext& context) const override {
    const c10::NoGradGuard no_gradients;
    SolverRun run("noise_optimisation", config_.steps, y, context);
    const at::Tensor first = run.draw("prior", 0, op.pseudo_inverse(y));
    const double sigma = std::max(context.sigma_y, config_.sigma_floor);
    at::Tensor z = first;
    AdamStep adam(config_.beta2);
    const auto sample = [&] {
      return SampledImage(*sampler_, process, denoiser, context.sample.noise, context.sample.item, z);
    };
    for (std::int64_t k = 0; k < config_.steps; ++k) {
      const SampledImage sampled = sample();
      const at::Tensor error = y - op.apply(sampled.image());
      Objective objective = priors(z, first);
      SolverStep step{.step = k, .t = process.t_start(), .residual = item_norm(error)};
      step.loss = objective.loss + step.residual.square() / (2.0 * sigma * sigma);
      const at::Tensor fit = sampled.pull_back(op.vjp(sampled.image(), error) / (-sigma * sigma));
      at::Tensor gradient = fit + objective.gradient;
      if (config_.unit_gradient) gradient = gradient / per_item(item_norm(gradient).clamp_min(1e-30), gradient);
      const double share = schedule(k);
      z = adam(z, gradient, config_.lr * share);
      if (config_.perturbation > 0) z = z + config_.perturbation * share * run.draw("perturbation", k, z);
      step.estimate = sampled.image();
      step.state = z;
      step.gradient = gradient;
      run.after(step);
    }
    return sample().image();
  }
  std::int64_t network_calls() const override {
    const std::int64_t calls = sampler_->network_calls();
    return calls < 0 ? -1 : (2 * config_.steps + 1) * calls;
  }

 private:
  Objective priors(const at::Tensor& z, const at::Tensor& first) const {
    const at::Tensor moved = z - first, distance = item_norm(moved);
    Objective out{item_norm(z).square() * (0.5 * config_.prior_weight) + distance * config_.distance_weight,
                  z * config_.prior_weight};
    if (config_.distance_weight > 0)
      out.gradient = out.gradient + moved * per_item(config_.distance_weight / distance.clamp_min(1e-30), moved);
    if (config_.decorrelation_weight > 0) {
      const Decorrelation r = decorrelation(z);
      out.loss = out.loss + config_.decorrelation_weight * r.value;
      out.gradient = out.gradient + config_.decorrelation_weight * r.gradient;
    }
    return out;
  }

  double schedule(std::int64_t k) const {
    const double step = static_cast<double>(k), all = static_cast<double>(config_.steps);
    const double rise = config_.warm_up > 0 ? std::min(1.0, step / static_cast<double>(config_.warm_up)) : 1.0;
    return rise * 0.5 * (1.0 + std::cos(std::numbers::pi * step / all));
  }

  NoiseOptimisationConfig config_;
  std::unique_ptr<diffusion::Sampler> sampler_;
};

}  // namespace

const SolverEntry& solver_entry_noise_optimisation() {
  static const auto entry = make_component<Solver, NoiseOptimisation, NoiseOptimisationConfig>(
      "noise_optimisation", "optimises a sampler's start noise by gradients through the sampler (DNO); any operator");
  return entry;
}

}  // namespace reseda::inverse
