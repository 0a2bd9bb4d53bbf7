#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "modules/inverse/solvers/guided_walk.hpp"

namespace reseda::inverse {
namespace {

struct DdnmConfig {
  SolverTimesConfig times{.steps = 100};
  double eta = 0.85;
  std::string init = "noise";
  template <class V>
  void fields(V& v) {
    times.fields(v);
    v("eta", eta, "share of fresh noise: 0 deterministic, 1 all of it");
    v("init", init, "noise; given, pseudo_inverse or zero: that image noised first");
  }
  void validate() const {
    times.validate();
    require_eta(eta);
    require_init(init);
  }
};

/// Weights of one jump: how much of the measurement's correction is taken, and the noise beside it.
///   r = a' sigma_y / s, the deviation that a full correction brings into the next state, of its c'
struct Scaling {
  double correction = 1, eps = 0, noise = 0;
};
Scaling scaling(double r, double c, double eta) {
  if (r == 0) return {1.0, c * std::sqrt(1 - eta * eta), c * eta};
  if (r <= c) return {1.0, 0.0, std::sqrt(c * c - r * r)};
  return {c * std::sqrt(1 - eta * eta) / r, 0.0, c * eta};
}

/// Null-space diffusion: the range of H^+ is taken from the measurement, the rest from the prior.
///   x0' = x0 + L (H^+ y - H^+ H x0),   x' = a' x0' + E eps + S z
/// Without noise in y (sigma_y = 0) L = 1, E = c' sqrt(1 - eta^2), S = c' eta. With noise the correction carries
/// deviation r = a' sigma_y / s into the coefficient of singular value s, so that
///   r <= c':  L = 1, E = 0, S = sqrt(c'^2 - r^2)      r > c':  L = c' sqrt(1 - eta^2) / r, E = 0, S = c' eta
/// and L = 0 with the first E and S where s = 0: the noise of x' is c' in all. An operator without a spectral form is
/// taken as one with s = 1 throughout, where E = 0 in the null space too. Linear operators with a pseudo-inverse.
/// Draws: ("prior", 0), ("predictor", k) in every step k.
/// Source: Wang et al. 2023, "Zero-Shot Image Restoration Using Denoising Diffusion Null-Space Model", Eqs. (13) and
/// (17)-(19). Official: wyhuai/DDNM, guided_diffusion/diffusion.py; devzhk/InverseBench, algo/ddnm.py.
class Ddnm final : public Solver {
 public:
  explicit Ddnm(DdnmConfig config) : config_(std::move(config)) {}

  at::Tensor solve(const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                   const diffusion::Process& process, const diffusion::Denoiser& denoiser,
                   SolveContext& context) const override {
    const c10::NoGradGuard no_gradients;
    require_pseudo_inverse("ddnm", op);
    const SpectralForm* spectral = context.sigma_y > 0 ? op.spectral() : nullptr;
    const at::Tensor known = op.pseudo_inverse(y);
    return guided_walk("ddnm", config_.times, config_.init, y, start, op, process, context, [&](const GuidedJump& j) {
      const diffusion::Estimates found = denoiser(j.x, j.from.t, {});
      const at::Tensor measured = op.apply(found.x0), missing = known - op.pseudo_inverse(measured);
      const at::Tensor z = j.run.draw("predictor", j.step, j.x), residual = item_norm(y - measured);
      if (spectral != nullptr)
        return Landing{by_coefficient(j, *spectral, context.sigma_y, found, missing, z), found.x0, residual};
      const Scaling w = scaling(j.to.a * context.sigma_y, j.to.c, config_.eta);
      const at::Tensor x0 = at::add(found.x0, missing, w.correction);
      return Landing{at::mul(x0, j.to.a).add_(found.eps, w.eps).add_(z, w.noise), found.x0, residual};
    });
  }
  std::int64_t network_calls() const override { return config_.times.calls(); }

 private:
  at::Tensor by_coefficient(const GuidedJump& j, const SpectralForm& spectral, double sigma_y,
                            const diffusion::Estimates& found, const at::Tensor& missing, const at::Tensor& z) const {
    const at::Tensor s = spectral.singulars().to(at::kCPU, at::kDouble).contiguous();
    const Scaling free = scaling(0.0, j.to.c, config_.eta);
    at::Tensor x0 = spectral.vt(found.x0), lack = spectral.vt(missing), eps = spectral.vt(found.eps),
               fresh = spectral.vt(z);
    const std::int64_t n = x0.size(1), count = s.numel();
    at::Tensor correction = at::zeros({n}, at::kDouble), kept = at::full({n}, free.eps, at::kDouble),
               noise = at::full({n}, free.noise, at::kDouble);
    for (std::int64_t i = 0; i < count; ++i) {
      const double value = s.const_data_ptr<double>()[i];
      if (value == 0) continue;
      const Scaling w = scaling(j.to.a * sigma_y / value, j.to.c, config_.eta);
      correction.data_ptr<double>()[i] = w.correction;
      kept.data_ptr<double>()[i] = w.eps;
      noise.data_ptr<double>()[i] = w.noise;
    }
    const auto on = [&](const at::Tensor& weights) {
      return weights.to(x0.device(), c10::toRealValueType(x0.scalar_type()));
    };
    return spectral.v(j.to.a * (x0 + on(correction) * lack) + on(kept) * eps + on(noise) * fresh);
  }

  DdnmConfig config_;
};

}  // namespace

const SolverEntry& solver_entry_ddnm() {
  static const auto entry = make_component<Solver, Ddnm, DdnmConfig>(
      "ddnm", "sampler that takes the operator's range from the measurement (DDNM+); linear operators");
  return entry;
}

}  // namespace reseda::inverse
