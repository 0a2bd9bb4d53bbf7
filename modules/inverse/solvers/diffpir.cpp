#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "modules/inverse/conjugate_gradient.hpp"
#include "modules/inverse/solvers/guided_walk.hpp"

namespace reseda::inverse {
namespace {

struct DiffPirConfig {
  SolverTimesConfig times{.steps = 100};
  double lambda = 4.0;
  double zeta = 0.3;
  double sigma_floor = 0.002;
  std::string init = "given";
  std::int64_t iterations = 50;
  double tolerance = 1e-6;
  template <class V>
  void fields(V& v) {
    times.fields(v);
    v("lambda", lambda,
      "weight of the prior in each data step (a quarter of the official one, which measures in [0, 1])");
    v("zeta", zeta, "share of fresh noise");
    v("sigma_floor", sigma_floor, "smallest sigma_y that is reckoned with, in units of y");
    v("init", init, "given, pseudo_inverse or zero: that image noised first; noise");
    v("iterations", iterations, "conjugate gradients: most iterations of a data step");
    v("tolerance", tolerance, "conjugate gradients: done when |residual| <= tolerance |right-hand side|");
  }
  void validate() const {
    times.validate();
    require_init(init);
    require_not_negative("zeta", zeta);
    RESEDA_REQUIRE(zeta <= 1, Errc::kUsage, "solver.zeta must be in [0, 1], got ", zeta);
    RESEDA_REQUIRE(std::isfinite(lambda) && lambda > 0, Errc::kUsage, "solver.lambda must be > 0, got ", lambda);
    RESEDA_REQUIRE(std::isfinite(sigma_floor) && sigma_floor > 0, Errc::kUsage, "solver.sigma_floor must be > 0, got ",
                   sigma_floor);
    RESEDA_REQUIRE(iterations >= 1 && iterations <= 100000, Errc::kUsage,
                   "solver.iterations must be in 1 to 100000, got ", iterations);
    RESEDA_REQUIRE(tolerance > 0 && tolerance < 1, Errc::kUsage, "solver.tolerance must be in (0, 1), got ", tolerance);
  }
};

/// Plug-and-play with a diffusion denoiser: each estimate is moved to the best compromise with the measurement,
///   x0' = argmin_x |y - H x|^2 + rho |x - x0|^2,   rho = lambda sigma_y^2 / (c / a)^2
///   eps' = (x - a x0') / c,   x' = a' x0' + c' (sqrt(1 - zeta) eps' + sqrt(zeta) z)
/// in closed form, V (s U^T y + rho V^T x0) / (s^2 + rho), where the operator has a spectral form, else by conjugate
/// gradients. Linear operators. Draws: ("prior", 0), ("predictor", k) in every step k.
/// Source: Zhu et al. 2023, "Denoising Diffusion Models for Plug-and-Play Image Restoration", Algorithm 1. Official:
/// yuanzhi-zhu/DiffPIR, main_ddpir_deblur.py, which leaves the data step out at the last time.
class DiffPir final : public Solver {
 public:
  explicit DiffPir(DiffPirConfig config) : config_(std::move(config)) {}

  at::Tensor solve(const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                   const diffusion::Process& process, const diffusion::Denoiser& denoiser,
                   SolveContext& context) const override {
    const c10::NoGradGuard no_gradients;
    RESEDA_REQUIRE(op.is_linear(), Errc::kUsage, "solver diffpir needs a linear operator");
    const double sigma = std::max(context.sigma_y, config_.sigma_floor);
    const at::Tensor back = op.adjoint(y);
    return guided_walk(
        "diffpir", config_.times, config_.init, y, start, op, process, context, [&](const GuidedJump& j) {
          const at::Tensor x0 = denoiser(j.x, j.from.t, {}).x0;
          const double noise = sigma / j.from.ratio(), rho = config_.lambda * noise * noise;
          const at::Tensor moved = compromise(op, rho, y, back, x0);
          const at::Tensor eps = (j.x - j.from.a * moved) / j.from.c, z = j.run.draw("predictor", j.step, j.x);
          const at::Tensor next = at::mul(moved, j.to.a)
                                      .add_(eps, j.to.c * std::sqrt(1.0 - config_.zeta))
                                      .add_(z, j.to.c * std::sqrt(config_.zeta));
          return Landing{next, moved, item_norm(y - op.apply(moved))};
        });
  }
  std::int64_t network_calls() const override { return config_.times.calls(); }

 private:
  /// argmin_x |y - H x|^2 + rho |x - x0|^2; `back` is H^* y.
  at::Tensor compromise(const ForwardOperator& op, double rho, const at::Tensor& y, const at::Tensor& back,
                        const at::Tensor& x0) const {
    const SpectralForm* spectral = op.spectral();
    if (spectral == nullptr) return least_squares(op, y, rho, x0, {config_.iterations, config_.tolerance}).x;
    const at::Tensor s = spectral->singulars().to(at::kCPU, at::kDouble), b = spectral->vt(back + rho * x0);
    const at::Tensor total = at::full({b.size(1)}, rho, at::kDouble);
    total.narrow(0, 0, s.numel()).add_(s.square());
    return spectral->v(b / total.to(b.device(), c10::toRealValueType(b.scalar_type())));
  }

  DiffPirConfig config_;
};

}  // namespace

const SolverEntry& solver_entry_diffpir() {
  static const auto entry = make_component<Solver, DiffPir, DiffPirConfig>(
      "diffpir", "sampler with a proximal step towards the measurement (DiffPIR); linear operators");
  return entry;
}

}  // namespace reseda::inverse
