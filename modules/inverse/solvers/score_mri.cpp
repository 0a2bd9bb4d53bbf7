#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <array>
#include <cmath>

#include "modules/diffusion/samplers/choice.hpp"
#include "modules/inverse/coil_maps.hpp"
#include "modules/inverse/landweber.hpp"
#include "modules/inverse/operators/mri.hpp"
#include "modules/inverse/solvers/solver_run.hpp"
#include "modules/inverse/solvers/ve_walk.hpp"

namespace reseda::inverse {
namespace {

struct ScoreMriConfig {
  VeWalkConfig walk;
  std::string state = "image";
  std::string order = "corrector_first";
  std::string init = "projected";
  std::string result = "mean";
  std::int64_t chunk = 0;
  std::int64_t sense_every = 0;
  double sense_weight_first = 1.0;
  double sense_weight_last = 0.2;
  std::int64_t sense_steps = 0;
  std::string sense_update = "maps";
  template <class V>
  void fields(V& v) {
    walk.fields(v);
    v("state", state, "image, or coils: an image of each coil, for multi-coil Fourier operators");
    v("order", order, "corrector_first or predictor_first");
    v("init", init,
      "projected: noise, then a step to the measurement; projected_real: noise without imaginary part (official for "
      "one "
      "coil); noise (official for coils)");
    v("result", result,
      "mean: without the last move's noise; state: with it; repeated: the state and one more step to the measurement "
      "(official for real images)");
    v("chunk", chunk, "images in a network call; 0 all");
    v("sense_every", sense_every, "state coils: steps from one step to agreement with the maps to the next; 0 none");
    v("sense_weight_first", sense_weight_first, "of that step at the start");
    v("sense_weight_last", sense_weight_last, "of that step at the end");
    v("sense_steps", sense_steps, "over which the weight falls; 0: all steps. Official code: 2000, whatever the steps");
    v("sense_update", sense_update,
      "maps: every coil gets the correction times its map; broadcast: the correction itself (official)");
  }
  void validate() const {
    walk.validate();
    diffusion::require_choice("solver.state", state, {"image", "coils"});
    diffusion::require_choice("solver.order", order, {"corrector_first", "predictor_first"});
    diffusion::require_choice("solver.init", init, {"projected", "projected_real", "noise"});
    diffusion::require_choice("solver.result", result, {"mean", "state", "repeated"});
    diffusion::require_choice("solver.sense_update", sense_update, {"maps", "broadcast"});
    RESEDA_REQUIRE(chunk >= 0, Errc::kUsage, "solver.chunk must be >= 0, got ", chunk);
    RESEDA_REQUIRE(sense_every >= 0 && sense_steps >= 0, Errc::kUsage,
                   "solver.sense_every and solver.sense_steps must be >= 0");
    RESEDA_REQUIRE(sense_every == 0 || state == "coils", Errc::kUsage, "solver.sense_every needs solver.state = coils");
  }
};

/// The measurement as the state sees it: the operator itself, or each coil's Fourier transform.
class Consistency {
 public:
  Consistency(bool coils, const at::Tensor& y, const ForwardOperator& op) : y_(y), op_(op) {
    RESEDA_REQUIRE(op.is_linear(), Errc::kUsage, "score_mri needs a linear operator");
    if (!coils) return;
    mri_ = dynamic_cast<const Mri*>(&op);
    RESEDA_REQUIRE(mri_ != nullptr, Errc::kUsage, "score_mri with state = coils needs the operator mri");
  }
  at::Tensor first_guess() const { return mri_ != nullptr ? mri_->zero_filled(y_) : op_.adjoint(y_); }
  at::Tensor residual(const at::Tensor& x) const { return y_ - (mri_ != nullptr ? mri_->sample(x) : op_.apply(x)); }
  at::Tensor step(const at::Tensor& x) const {
    return mri_ != nullptr ? x + mri_->zero_filled(residual(x)) : landweber_step(op_, x, y_, 1.0);
  }
  /// Adds weight times the SENSE correction to coil images. @throws Error{kUsage} without maps
  at::Tensor sense(const at::Tensor& x, double weight, bool broadcast) const {
    RESEDA_REQUIRE(mri_ != nullptr && mri_->maps().defined(), Errc::kUsage,
                   "score_mri: solver.sense_every needs coil maps");
    const at::Tensor maps = mri_->maps().to(x.device(), x.scalar_type());
    const at::Tensor explained = broadcast ? maps * x : maps * combine_coils(x, maps);
    const at::Tensor lack = (maps.conj() * mri_->zero_filled(y_ - mri_->sample(explained))).sum(1, /*keepdim=*/true);
    return x + weight * (broadcast ? lack : maps * lack);
  }

 private:
  const at::Tensor& y_;
  const ForwardOperator& op_;
  const Mri* mri_ = nullptr;
};

/// Real images of a state as the prior sees them, [B,P,C,H,W]: the state itself, its real and imaginary parts, or those
/// of each coil.
at::Tensor planes_of(const at::Tensor& x, bool coils) {
  if (!x.is_complex()) return x.unsqueeze(1);
  if (coils) return at::stack({at::real(x), at::imag(x)}, 2).flatten(1, 2).unsqueeze(2);
  return at::stack({at::real(x), at::imag(x)}, 1);
}

at::Tensor state_of(const at::Tensor& planes, bool coils, bool complex) {
  if (!complex) return planes.squeeze(1);
  if (!coils) return at::complex(planes.select(1, 0), planes.select(1, 1));
  const at::Tensor pairs = planes.squeeze(2).unflatten(1, {-1, 2});
  return at::complex(pairs.select(2, 0), pairs.select(2, 1));
}

/// The predictor-corrector walk of score-MRI: at each time a corrector and a predictor of ve_walk on real and imaginary
/// parts by themselves, each followed by a step to the measurement, x <- x + H^* (y - H x), which for a masked Fourier
/// transform puts the measured samples in place. Linear operators with |H| <= 1; complex or real images.
/// state = coils walks an image of every coil, each consistent with its own samples, and returns them: the caller
/// combines them (root_sum_of_squares, combine_coils). With sense_every = m every m-th step is followed by
///   x_c <- x_c + w S_c sum_c' conj(S_c') F^*(y - M F S m)_c',   m the combined image, w from 1 to 0.2
/// `start` is not used. Draws: ("prior", 0), with ("prior", 1) for imaginary parts; ("corrector", k P + p) and
/// ("predictor", k P + p) in step k for real image p of P.
/// Quirk: official hybrid code adds the one-channel correction of S_c x_c to every coil as it is: sense_update.
/// Source: Chung, Ye 2022, "Score-based Diffusion Models for Accelerated MRI", Algorithms 2 to 5. Official:
/// hyungjin-chung/score-MRI, sampling.py (get_pc_fouriercs_fast, _RI, _RI_PI_SSOS, _RI_coil_SENSE).
class ScoreMri final : public Solver {
 public:
  explicit ScoreMri(ScoreMriConfig config) : config_(std::move(config)) {}

  at::Tensor solve(const at::Tensor& y, const at::Tensor&, const ForwardOperator& op, const diffusion::Process& process,
                   const diffusion::Denoiser& denoiser, SolveContext& context) const override {
    const c10::NoGradGuard no_gradients;
    const std::vector<VeStep> steps = ve_steps("score_mri", config_.walk, process);
    SolverRun run("score_mri", config_.walk.steps, y, context);
    const Consistency data(coils(), y, op);
    VeMove moved{{}, first_state(data, process, run)};
    for (std::int64_t k = 0; k < config_.walk.steps; ++k) {
      const Draws draws = draws_of(planes_of(moved.x, coils()), k, run);
      for (const bool corrects : {corrector_first(), !corrector_first()})
        moved = move(moved.x, corrects, steps[k], corrects ? draws.corrector : draws.predictor, denoiser, data);
      if (config_.sense_every > 0 && k % config_.sense_every == 0) {
        for (at::Tensor* x : {&moved.mean, &moved.x}) *x = data.sense(*x, sense_weight(k), broadcast());
      }
      const at::Tensor residual = item_norm(data.residual(moved.x));
      run.after({.step = k, .t = steps[k].t, .residual = residual, .estimate = moved.mean, .state = moved.x});
    }
    if (config_.result == "repeated") return data.step(moved.x);
    return config_.result == "mean" ? moved.mean : moved.x;
  }

  std::int64_t network_calls() const override { return 2 * config_.walk.steps; }

 private:
  bool coils() const { return config_.state == "coils"; }
  bool corrector_first() const { return config_.order == "corrector_first"; }
  bool broadcast() const { return config_.sense_update == "broadcast"; }

  double sense_weight(std::int64_t k) const {
    const double total = static_cast<double>(config_.sense_steps > 0 ? config_.sense_steps : config_.walk.steps);
    return config_.sense_weight_first +
           (config_.sense_weight_last - config_.sense_weight_first) * static_cast<double>(k) / total;
  }

  at::Tensor first_state(const Consistency& data, const diffusion::Process& process, const SolverRun& run) const {
    const at::Tensor like = data.first_guess();
    const diffusion::Coef sigma = process.at(process.t_start()).c;
    const at::Tensor part = like.is_complex() ? at::real(like) : like;
    const at::Tensor real = sigma * run.draw("prior", 0, part);
    at::Tensor x = real;
    if (like.is_complex())
      x = at::complex(real,
                      config_.init == "projected_real" ? at::zeros_like(real) : sigma * run.draw("prior", 1, part));
    return config_.init == "noise" ? x : data.step(x);
  }

  struct Draws {
    at::Tensor corrector, predictor;  ///< shape of the planes
  };
  /// In the official order: coil by coil, the first move's parts before the second's.
  Draws draws_of(const at::Tensor& planes, std::int64_t k, const SolverRun& run) const {
    const std::int64_t count = planes.size(1), parts = coils() ? 2 : count;
    std::array<std::vector<at::Tensor>, 2> drawn;
    for (std::int64_t first = 0; first < count; first += parts)
      for (const bool corrects : {corrector_first(), !corrector_first()})
        for (std::int64_t plane = first; plane < first + parts; ++plane)
          drawn[corrects ? 0 : 1].push_back(
              run.draw(corrects ? "corrector" : "predictor", k * count + plane, planes.select(1, plane)));
    return {at::stack(drawn[0], 1), at::stack(drawn[1], 1)};
  }

  VeMove move(const at::Tensor& x, bool corrects, const VeStep& step, const at::Tensor& z,
              const diffusion::Denoiser& denoiser, const Consistency& data) const {
    const at::Tensor planes = planes_of(x, coils());
    const at::Tensor score = ve_score(denoiser, step, planes.flatten(0, 1), config_.chunk).reshape(planes.sizes());
    const VeMove moved = corrects ? ve_correct(config_.walk, planes, score, z) : ve_predict(step, planes, score, z);
    const auto consistent = [&](const at::Tensor& p) { return data.step(state_of(p, coils(), x.is_complex())); };
    return {consistent(moved.mean), consistent(moved.x)};
  }

  ScoreMriConfig config_;
};

}  // namespace

const SolverEntry& solver_entry_score_mri() {
  static const auto entry = make_component<Solver, ScoreMri, ScoreMriConfig>(
      "score_mri", "predictor-corrector with the measured samples put in place after every move (score-MRI)");
  return entry;
}

}  // namespace reseda::inverse
