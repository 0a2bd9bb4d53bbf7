#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "modules/diffusion/sampler.hpp"
#include "modules/diffusion/samplers/choice.hpp"
#include "modules/diffusion/samplers/reverse_step.hpp"
#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {
namespace {

constexpr double kLeastSignal = 1e-6;

struct PcConfig {
  std::int64_t steps = 30;
  std::string predictor = "reverse_diffusion";
  std::string corrector = "ald";
  std::int64_t corrector_steps = 1;
  double snr = 0.5;
  double t_eps = 0.0;
  bool denoise = true;
  bool legacy_steps = false;
  std::string langevin_norm = "item";
  template <class V>
  void fields(V& v) {
    v("steps", steps, "number of times");
    v("predictor", predictor, "reverse_diffusion, euler_maruyama (the same formula) or none");
    v("corrector", corrector, "ald (annealed Langevin), langevin or none");
    v("corrector_steps", corrector_steps, "corrections before each prediction");
    v("snr", snr, "size of a correction");
    v("t_eps", t_eps, "smallest time; 0 takes the process's");
    v("denoise", denoise, "return the mean of the last prediction, without its noise");
    v("legacy_steps", legacy_steps, "every step 1/steps long, as the official code had it before June 2024");
    v("langevin_norm", langevin_norm, "step size of langevin from each item's norms, or from the batch's (official)");
  }
  void validate() const {
    RESEDA_REQUIRE(steps >= 1 && steps <= 100000, Errc::kUsage, "sampler.steps must be in 1 to 100000, got ", steps);
    require_choice("sampler.predictor", predictor, {"reverse_diffusion", "euler_maruyama", "none"});
    require_choice("sampler.corrector", corrector, {"ald", "langevin", "none"});
    require_choice("sampler.langevin_norm", langevin_norm, {"item", "batch"});
    RESEDA_REQUIRE(corrector_steps >= 1 && corrector_steps <= 1000, Errc::kUsage,
                   "sampler.corrector_steps must be in 1 to 1000, got ", corrector_steps);
    RESEDA_REQUIRE(std::isfinite(snr) && snr >= 0, Errc::kUsage, "sampler.snr must be >= 0, got ", snr);
    RESEDA_REQUIRE(std::isfinite(t_eps) && t_eps >= 0, Errc::kUsage, "sampler.t_eps must be >= 0, got ", t_eps);
  }
};

/// Predictor-corrector sampler: at each of `steps` times linspace(t_start, t_eps) corrections at that time, then one
/// step of the reverse SDE to the next time; the last step goes from t_eps to 0. With s = -eps / c:
///   ald        x <- x + e s + sqrt(2 e) z,   e = 2 (snr c)^2
///   langevin   the same with e = 2 (snr |z| / |s|)^2, norms over an item
///   predictor  x <- mean + g sqrt(dt) z, see reverse_step
/// Draws: (item, "prior", 0) by the process; ("corrector", i * corrector_steps + j), ("predictor", i). The last
/// predictor's draw is made and not used when `denoise`, so that a sequential generator stays in step.
/// Quirk: langevin_norm = batch averages the norms over the batch, which makes items depend on each other. Without a
/// predictor the noisy state is returned.
/// Source: Song et al. 2021, "Score-Based Generative Modeling through Stochastic Differential Equations", Algorithms 2
/// to 5; Richter et al. 2023, Sec. III. Official: sp-uhh/sgmse, sgmse/sampling/__init__.py, predictors.py,
/// correctors.py.
class Pc final : public Sampler {
 public:
  explicit Pc(PcConfig config)
      : config_(std::move(config)),
        corrections_(config_.corrector == "none" ? 0 : config_.corrector_steps),
        predicts_(config_.predictor != "none") {}

  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override {
    const std::vector<double> times = grid(process);
    const Condition condition{y};
    at::Tensor x = process.prior(y, context.noise, context.item), mean = x;
    for (std::int64_t i = 0; i < config_.steps; ++i) {
      const double t = times[i], next = i + 1 < config_.steps ? times[i + 1] : 0.0;
      for (std::int64_t j = 0; j < corrections_; ++j)
        x = correct(x, process.at(t).c, denoiser(x, t, condition), i * corrections_ + j, context);
      mean = x;
      if (predicts_) {
        const double dt = config_.legacy_steps ? 1.0 / static_cast<double>(config_.steps) : t - next;
        const ReverseStep step = reverse_step(process, t, dt);
        mean = step.mean(x, y, denoiser(x, t, condition));
        x = mean + step.noise * draw_like(context, "predictor", i, x);
      }
      const bool last = i + 1 == config_.steps;
      after_step(context, i + 1, config_.steps, last && config_.denoise ? mean : x);
    }
    return config_.denoise ? mean : x;
  }

  std::int64_t network_calls() const override { return config_.steps * (corrections_ + (predicts_ ? 1 : 0)); }

 private:
  /// The times as float32 has them, because the network is conditioned on those.
  std::vector<double> grid(const Process& process) const {
    const double start = process.t_start(), end = config_.t_eps > 0 ? config_.t_eps : process.t_end();
    RESEDA_REQUIRE(end < start, Errc::kUsage, "sampler.t_eps must be < ", start, ", where the process starts, got ",
                   end);
    const at::Tensor first = process.at(start).c.value, final = process.at(end).c.value;
    RESEDA_REQUIRE(at::all(first >= final).item<bool>() && at::all(final > 0).item<bool>(), Errc::kUsage,
                   "sampler pc needs a process whose noise grows towards its start; this one is a bridge: use sb_sde, "
                   "sb_ode or bridge_ddim");
    RESEDA_REQUIRE(
        at::all(process.at(start).a.value > kLeastSignal).item<bool>(), Errc::kUsage,
        "sampler pc needs a process that still holds a share of x0 at its start: without it the drift of the "
        "reverse SDE is infinite there; use the process's own sampler or bridge_ddim");
    const at::Tensor times = at::linspace(start, end, config_.steps, at::kFloat).to(at::kDouble);
    return {times.const_data_ptr<double>(), times.const_data_ptr<double>() + config_.steps};
  }

  at::Tensor correct(const at::Tensor& x, const Coef& c, const Estimates& estimates, std::int64_t draw,
                     SampleContext& context) const {
    const at::Tensor z = draw_like(context, "corrector", draw, x);
    if (config_.corrector == "ald") {
      // e s = -2 snr^2 c eps and sqrt(2 e) = 2 snr c
      const Coef pull(-2.0 * config_.snr * config_.snr * c.value), noise(2.0 * config_.snr * c.value);
      return weighted_sum({{Coef(1.0), x}, {pull, estimates.eps}, {noise, z}});
    }
    const at::Tensor score = Coef(-c.value.reciprocal()) * estimates.eps;
    at::Tensor noise_norm = norms(z), score_norm = norms(score);
    if (config_.langevin_norm == "batch") {
      noise_norm = noise_norm.mean();
      score_norm = score_norm.mean();
    }
    // Where there is no score there is nothing to correct.
    const at::Tensor ratio = at::where(score_norm > 0, noise_norm / score_norm, at::zeros_like(score_norm));
    const at::Tensor size = 2.0 * (config_.snr * ratio).square();
    return x + size * score + (2.0 * size).sqrt() * z;
  }

  /// Euclidean norm of each item, [B,1,1,1], real.
  static at::Tensor norms(const at::Tensor& x) {
    const at::Tensor flat = x.is_complex() ? at::view_as_real(x.contiguous()).flatten(1) : x.flatten(1);
    std::vector<std::int64_t> shape(x.dim(), 1);
    shape[0] = x.size(0);
    return at::linalg_vector_norm(flat, 2, at::IntArrayRef{1}).reshape(shape);
  }

  PcConfig config_;
  std::int64_t corrections_;
  bool predicts_;
};

}  // namespace

const SamplerEntry& sampler_entry_pc() {
  static const auto entry =
      make_component<Sampler, Pc, PcConfig>("pc", "predictor-corrector sampler of the reverse SDE (SGMSE+)");
  return entry;
}

}  // namespace reseda::diffusion
