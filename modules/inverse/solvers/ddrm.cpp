#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "modules/inverse/solvers/guided_walk.hpp"

namespace reseda::inverse {
namespace {

struct DdrmConfig {
  SolverTimesConfig times;
  double eta = 0.85;
  double eta_b = 1.0;
  bool official_quirks = false;
  template <class V>
  void fields(V& v) {
    times.fields(v);
    v("eta", eta, "share of fresh noise in coefficients that the measurement says little or nothing of");
    v("eta_b", eta_b, "weight of the measurement in coefficients noisier than it");
    v("official_quirks", official_quirks,
      "start from x / r instead of a x, and guide coefficients of singular value 0 by the measurement's noise");
  }
  void validate() const {
    times.validate();
    require_eta(eta);
    RESEDA_REQUIRE(eta_b >= 0 && eta_b <= 1, Errc::kUsage, "solver.eta_b must be in [0, 1], got ", eta_b);
  }
};

/// What a run knows of the measurement, in coefficients: m of them are measured.
struct Measured {
  at::Tensor s;       ///< [m] float64 on the CPU
  at::Tensor y;       ///< [B,m] U^T y
  at::Tensor over_s;  ///< [B,m] U^T y / s, 0 where s is 0
};

/// Denoising diffusion restoration in the coordinates of H = U diag(s) V^T. With r = c / a, r' at the next time, hats
/// for V^T x0, V^T eps and y_ = U^T y, each coefficient goes from x0^ to
///   not measured (s = 0)    x0^ + sqrt(1 - eta^2) r' eps^ + eta r' z1
///   s r' < sigma_y          x0^ + sqrt(1 - eta^2) r' (y_ - s x0^) / sigma_y + eta r' z2
///   s r' > sigma_y          (1 - eta_b) x0^ + eta_b y_ / s + sqrt(r'^2 - (eta_b sigma_y / s)^2) z3
/// and x' = a' V (.); as for s = 0 where s r' = sigma_y. The start has y_ / s + sqrt(r^2 - (sigma_y / s)^2) z where
/// s r > sigma_y and r z elsewhere, times a. The last estimate of x0 is the result. Needs a spectral form.
/// eta is a share of all the noise, not of a step's: it suits some 20 steps and makes the samples of many too narrow.
/// Draws: ("prior", 0), of the image's shape but meant as coefficients; ("unknown", k) = z1 [B,n], ("less_noisy", k) =
/// z2 for the coefficients of the second case, ("noisier", k) = z3 [B,m] in every step k. They are noise in the basis
/// of V: results depend on it.
/// Source: Kawar et al. 2022, "Denoising Diffusion Restoration Models", Eqs. (7), (8). Official: NVlabs/RED-diff,
/// algos/ddrm.py. Quirk: official_quirks keeps its start, 1 / r for a, and takes s = 0 as s r' < sigma_y.
class Ddrm final : public Solver {
 public:
  explicit Ddrm(DdrmConfig config) : config_(std::move(config)) {}

  at::Tensor solve(const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                   const diffusion::Process& process, const diffusion::Denoiser& denoiser,
                   SolveContext& context) const override {
    const c10::NoGradGuard no_gradients;
    const SpectralForm* spectral = op.spectral();
    RESEDA_REQUIRE(spectral != nullptr, Errc::kUsage, "solver ddrm needs an operator with a spectral form");
    Measured measured{spectral->singulars().to(at::kCPU, at::kDouble), spectral->ut(y), {}};
    measured.over_s = measured.y * on(at::where(measured.s > 0, 1.0 / measured.s, at::zeros_like(measured.s)), y);
    const double sigma_y = context.sigma_y;
    return guided_walk("ddrm", config_.times, "noise", y, start, op, process, context, [&](const GuidedJump& j) {
      const at::Tensor x = j.step == 0 ? first(j, measured, *spectral, sigma_y) : j.x;
      const diffusion::Estimates found = denoiser(x, j.from.t, {});
      const at::Tensor next = coefficients(j, measured, spectral->vt(found.x0), spectral->vt(found.eps), sigma_y);
      return Landing{j.to.a * spectral->v(next), found.x0, item_norm(y - op.apply(found.x0))};
    });
  }
  std::int64_t network_calls() const override { return config_.times.calls(); }

 private:
  /// Weights per coefficient beside the tensor they multiply.
  static at::Tensor on(const at::Tensor& weights, const at::Tensor& like) {
    return weights.to(like.device(), c10::toRealValueType(like.scalar_type()));
  }

  at::Tensor first(const GuidedJump& j, const Measured& measured, const SpectralForm& spectral, double sigma_y) const {
    const double r = j.from.ratio();
    const at::Tensor z = j.x.flatten(1), known = measured.s * r > sigma_y;
    const at::Tensor variance =
        at::where(known, r * r - (sigma_y / measured.s).square(), at::full_like(measured.s, r * r));
    at::Tensor state = r * z;
    const std::int64_t count = measured.s.numel();
    state.narrow(1, 0, count)
        .copy_(z.narrow(1, 0, count) * on(variance.clamp_min(0.0).sqrt(), z) +
               measured.over_s * on(known.to(at::kDouble), z));
    return spectral.v(state) * (config_.official_quirks ? 1.0 / r : j.from.a);
  }

  /// The next state over a', in coefficients.
  at::Tensor coefficients(const GuidedJump& j, const Measured& measured, const at::Tensor& x0, const at::Tensor& eps,
                          double sigma_y) const {
    const double r = j.to.ratio(), kept = std::sqrt(1.0 - config_.eta * config_.eta) * r, fresh = config_.eta * r;
    const at::Tensor& s = measured.s;
    at::Tensor less = s * r < sigma_y;
    if (!config_.official_quirks) less = at::logical_and(less, s > 0);
    const at::Tensor less_noisy = less.nonzero().squeeze(1).to(x0.device());
    const at::Tensor noisier = (s * r > sigma_y).nonzero().squeeze(1).to(x0.device());
    at::Tensor next = x0 + kept * eps + fresh * j.run.draw("unknown", j.step, x0);

    const at::Tensor less_x0 = x0.index_select(1, less_noisy), less_s = on(s, x0).index_select(0, less_noisy);
    const at::Tensor z2 = j.run.draw("less_noisy", j.step, less_x0);
    if (less_noisy.numel() > 0) {
      const at::Tensor pull = (measured.y.index_select(1, less_noisy) - less_s * less_x0) / sigma_y;
      next.index_copy_(1, less_noisy, less_x0 + kept * pull + fresh * z2);
    }
    const at::Tensor z3 = j.run.draw("noisier", j.step, measured.y).index_select(1, noisier);
    const at::Tensor deviation = (r * r - (config_.eta_b * sigma_y / s).square()).clamp_min(0.0).sqrt();
    next.index_copy_(1, noisier,
                     (1.0 - config_.eta_b) * x0.index_select(1, noisier) +
                         config_.eta_b * measured.over_s.index_select(1, noisier) +
                         on(deviation, x0).index_select(0, noisier) * z3);
    return next;
  }

  DdrmConfig config_;
};

}  // namespace

const SolverEntry& solver_entry_ddrm() {
  static const auto entry = make_component<Solver, Ddrm, DdrmConfig>(
      "ddrm", "sampler in the operator's singular basis (DDRM); operators with a spectral form");
  return entry;
}

}  // namespace reseda::inverse
