#include "modules/diffusion/samplers/rddm_from_ddim.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <string>
#include <vector>

#include "modules/diffusion/processes/rddm_schedule.hpp"
#include "modules/diffusion/sampler.hpp"
#include "modules/diffusion/samplers/choice.hpp"
#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {
namespace {

struct RddmFromDdimConfig {
  std::int64_t steps = 10;
  double eta = 0.0;
  double clip = 1.0;
  bool clipped_noise = false;
  std::string form = "residual";
  std::string residual = "converted";
  double residual_power = 1.0;
  template <class V>
  void fields(V& v) {
    v("steps", steps, "network calls, at every (T / steps)th step of the process, rounded down, from 0");
    v("eta", eta, "share of fresh noise's deviation, as in DDIM");
    v("clip", clip, "x0 and the residual are clipped to this; 0 clips nothing");
    v("clipped_noise", clipped_noise, "derive the noise anew from the clipped x0");
    v("form", form, "residual: RDDM's step with the converted coefficients; ddim: DDIM's own step");
    v("residual", residual,
      "how the residual grows in the residual form: converted, or increased, decreased, average or normal");
    v("residual_power", residual_power, "exponent of the weights where residual is not converted");
  }
  void validate() const {
    RESEDA_REQUIRE(steps >= 1 && steps <= 100000, Errc::kUsage, "sampler.steps must be in 1 to 100000, got ", steps);
    RESEDA_REQUIRE(eta >= 0 && eta <= 1, Errc::kUsage, "sampler.eta must be in [0, 1], got ", eta);
    RESEDA_REQUIRE(std::isfinite(clip) && clip >= 0, Errc::kUsage, "sampler.clip must be >= 0, got ", clip);
    require_choice("sampler.form", form, {"residual", "ddim"});
    require_choice("sampler.residual", residual, {"converted", "increased", "decreased", "average", "normal"});
    RESEDA_REQUIRE(std::isfinite(residual_power) && residual_power > 0, Errc::kUsage,
                   "sampler.residual_power must be > 0, got ", residual_power);
  }
};

/// Samples a pretrained DDIM network as residual diffusion with y = 0, R = -x0: with abar = 1 - a, bbar = c,
///   R = (x - bbar eps) / (abar - 1),  x0 = x - abar R - bbar eps, both clipped
///   residual  x' = x - (abar - abar') R - (bbar - sqrt(bbar'^2 - s^2)) eps + s z
///   ddim      x' = a' x0 + sqrt(c'^2 - s^2) eps + s z
///   s^2 = eta^2 (c'^2 / c^2) (1 - a^2 / a'^2)
/// Without a clip both forms are the same for `converted`. Another growth of the residual replaces abar in x0 and in
/// the step, but not the a that R is divided by. The step below the first index is clean.
/// Draws: (item, "prior", 0) by the process; ("predictor", i) after call i where eta > 0, the last of weight 0.
/// Source: Liu et al. 2024, "Residual Denoising Diffusion Models", on the conversion of DDIM; Song et al. 2021,
/// "Denoising Diffusion Implicit Models", Eqs. (12), (16). Official: nachifur/RDDM,
/// experiments/1_Image_Generation_convert_pretrained_DDIM_to_RDDM, DDIMScheduler.step.
class RddmFromDdim final : public Sampler {
 public:
  explicit RddmFromDdim(RddmFromDdimConfig config) : config_(std::move(config)) {}

  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override {
    const std::vector<Point> points = walk(process);
    at::Tensor x = process.prior(y, context.noise, context.item);
    for (std::int64_t i = 0; i < config_.steps; ++i) {
      const Point& from = points[static_cast<std::size_t>(i)];
      x = advance(from, points[static_cast<std::size_t>(i) + 1], x, denoiser(x, from.t, Condition{y}).eps, i, context);
      after_step(context, i + 1, config_.steps, x);
    }
    return x;
  }

  std::int64_t network_calls() const override { return config_.steps; }

 private:
  struct Point {
    double t, a, c, abar;
  };

  /// The times of the calls and the clean end.
  std::vector<Point> walk(const Process& process) const {
    const std::int64_t table = process.steps();
    RESEDA_REQUIRE(table >= config_.steps, Errc::kUsage,
                   "sampler rddm_from_ddim needs a process with a table of at least sampler.steps = ", config_.steps,
                   " steps: rddm with the schedule ddim; this one has ", table);
    at::Tensor growth;
    if (config_.residual != "converted")
      growth = rddm_weights("power", config_.residual, table, 1.0, config_.residual_power)
                   .to(at::kDouble)
                   .cumsum(0)
                   .clamp(0, 1);
    std::vector<Point> points;
    for (std::int64_t i = config_.steps; i-- > 0;) {
      const std::int64_t index = i * (table / config_.steps);
      const double t = static_cast<double>(index + 1) / static_cast<double>(table);
      const Marginal m = process.at(t);
      require_preserving(m);
      const double abar = growth.defined() ? growth[index].item<double>() : m.b.scalar();
      points.push_back({t, m.a.scalar(), m.c.scalar(), abar});
    }
    points.push_back({0.0, 1.0, 0.0, 0.0});
    return points;
  }

  static void require_preserving(const Marginal& m) {
    const double a = m.a.scalar(), b = m.b.scalar(), c = m.c.scalar();
    RESEDA_REQUIRE(std::abs(a + b - 1.0) < 1e-6 && std::abs(a * a + c * c - 1.0) < 1e-4, Errc::kUsage,
                   "sampler rddm_from_ddim needs a process with b = 1 - a and c^2 = 1 - a^2, such as rddm with the "
                   "schedule ddim; this one has a = ",
                   a, ", b = ", b, ", c = ", c);
  }

  /// Clipped to the limit; of complex values each part is.
  at::Tensor clipped(const at::Tensor& x) const {
    if (config_.clip == 0) return x;
    if (x.is_complex()) return at::view_as_complex(at::view_as_real(x).clamp(-config_.clip, config_.clip));
    return x.clamp(-config_.clip, config_.clip);
  }

  at::Tensor advance(const Point& from, const Point& to, const at::Tensor& x, at::Tensor eps, std::int64_t step,
                     SampleContext& context) const {
    const double variance = to.c * to.c / (from.c * from.c) * (1.0 - from.a * from.a / (to.a * to.a));
    const double fresh = config_.eta * std::sqrt(std::max(variance, 0.0));
    const double kept = std::sqrt(to.c * to.c - fresh * fresh);
    const RddmFromDdimParts parts = rddm_from_ddim_parts(from.a, from.c, from.abar, x, eps);
    const at::Tensor x0 = clipped(parts.x0);
    if (config_.clipped_noise) eps = weighted_sum({{1.0 / from.c, x}, {-from.a / from.c, x0}});
    const at::Tensor z = config_.eta > 0 ? draw_like(context, "predictor", step, x) : at::Tensor();
    if (config_.form == "ddim") return weighted_sum({{to.a, x0}, {kept, eps}, {fresh, z}});
    return weighted_sum({{1.0, x}, {to.abar - from.abar, clipped(parts.residual)}, {kept - from.c, eps}, {fresh, z}});
  }

  RddmFromDdimConfig config_;
};

}  // namespace

RddmFromDdimParts rddm_from_ddim_parts(double a, double c, double abar, const at::Tensor& x, const at::Tensor& eps) {
  const at::Tensor residual = weighted_sum({{-1.0 / a, x}, {c / a, eps}});
  return {residual, weighted_sum({{1.0, x}, {-abar, residual}, {-c, eps}})};
}

const SamplerEntry& sampler_entry_rddm_from_ddim() {
  static const auto entry = make_component<Sampler, RddmFromDdim, RddmFromDdimConfig>(
      "rddm_from_ddim", "samples a pretrained DDIM network as residual diffusion (RDDM)");
  return entry;
}

}  // namespace reseda::diffusion
