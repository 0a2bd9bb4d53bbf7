#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "modules/diffusion/samplers/choice.hpp"
#include "modules/inverse/conjugate_gradient.hpp"
#include "modules/inverse/finite_differences.hpp"
#include "modules/inverse/landweber.hpp"
#include "modules/inverse/solvers/solver_run.hpp"
#include "modules/inverse/solvers/ve_walk.hpp"

namespace reseda::inverse {
namespace {

struct DiffusionMbirConfig {
  VeWalkConfig walk;
  double tv_weight = 1e-4;
  double rho = 0.025;
  std::string weights = "relative";
  std::string splitting = "fresh";
  std::string tv_axes = "slices";
  std::string tv_norm = "separate";
  std::string boundary = "open";
  std::int64_t cg_iterations = 5;
  std::int64_t chunk = 12;
  bool final_consistency = true;
  template <class V>
  void fields(V& v) {
    walk.fields(v);
    v("tv_weight", tv_weight, "weight of the total variation, lambda");
    v("rho", rho, "weight of the quadratic penalty of ADMM; 0 leaves the data term alone");
    v("weights", weights,
      "relative: both in units of the mean of A^T A 1, so that they fit any size, number of views and unit; absolute "
      "(official, whose 0.04 and 10 are about the defaults here at 256 x 256)");
    v("splitting", splitting,
      "of the differences: fresh in each step, or carried from step to step as in ADMM (official), which is stable for "
      "one iteration of conjugate gradients and a small rho only");
    v("tv_axes", tv_axes, "slices: variation from slice to slice; all: within slices too");
    v("tv_norm", tv_norm, "separate: sum of the axes' absolute differences; joint: their Euclidean length");
    v("boundary", boundary, "of the differences: open, or wrap from the last slice to the first (official)");
    v("cg_iterations", cg_iterations, "of conjugate gradients in each step");
    v("chunk", chunk, "slices that share a network call; the parts are evened out");
    v("final_consistency", final_consistency, "end with a normalised step towards the measurement");
  }
  void validate() const {
    walk.validate();
    RESEDA_REQUIRE(std::isfinite(tv_weight) && tv_weight >= 0, Errc::kUsage, "solver.tv_weight must be >= 0, got ",
                   tv_weight);
    RESEDA_REQUIRE(std::isfinite(rho) && rho >= 0, Errc::kUsage, "solver.rho must be >= 0, got ", rho);
    diffusion::require_choice("solver.weights", weights, {"relative", "absolute"});
    diffusion::require_choice("solver.splitting", splitting, {"fresh", "carried"});
    diffusion::require_choice("solver.tv_axes", tv_axes, {"slices", "all"});
    diffusion::require_choice("solver.tv_norm", tv_norm, {"separate", "joint"});
    diffusion::require_choice("solver.boundary", boundary, {"open", "wrap"});
    RESEDA_REQUIRE(cg_iterations >= 1, Errc::kUsage, "solver.cg_iterations must be >= 1, got ", cg_iterations);
    RESEDA_REQUIRE(chunk >= 1, Errc::kUsage, "solver.chunk must be >= 1, got ", chunk);
  }
};

/// A step on 1/2 |y - A x|^2 + lambda |D x|_1 over a whole volume, by ADMM's splitting v = D x with dual u:
///   fresh     v <- shrink(D x, lambda / rho),  u = 0,  then x
///   carried   x,  then  v <- shrink(D x + u, lambda / rho),  u <- u + D x - v,  kept for the next step
/// with x <- a few conjugate gradients from x on (A^T A + rho D^T D) x = A^T y + rho D^T (v - u).
class VariationStep {
 public:
  VariationStep(const DiffusionMbirConfig& config, const ForwardOperator& op, const at::Tensor& y)
      : config_(config),
        op_(op),
        data_(op.adjoint(y)),
        rho_(config.rho * (config.weights == "relative" ? unit() : 1.0)),
        boundary_(config.boundary == "wrap" ? Boundary::kWrap : Boundary::kOpen) {
    if (rho_ == 0) return;
    for (const std::int64_t axis : {0, 2, 3})
      if (axis == 0 || config.tv_axes == "all") axes_.push_back({axis, at::zeros_like(data_), at::zeros_like(data_)});
  }

  at::Tensor operator()(const at::Tensor& x) {
    const bool fresh = config_.splitting == "fresh";
    if (fresh) split(x);
    at::Tensor b = data_;
    for (const Axis& axis : axes_) {
      const at::Tensor goal = fresh ? axis.split : axis.split - axis.dual;
      b = b + rho_ * difference_adjoint(goal, axis.number, boundary_);
    }
    const auto normal = [this](const at::Tensor& volume) { return curvature(volume.squeeze(0)).unsqueeze(0); };
    const CgSettings settings{.iterations = config_.cg_iterations, .tolerance = 0.0};
    const at::Tensor next = conjugate_gradient(normal, b.unsqueeze(0), x.unsqueeze(0), settings).x.squeeze(0);
    if (!fresh) split(next);
    return next;
  }

 private:
  struct Axis {
    std::int64_t number;
    at::Tensor split, dual;  ///< v and u
  };

  /// The mean of A^T A 1.
  double unit() const { return op_.adjoint(op_.apply(at::ones_like(data_.slice(0, 0, 1)))).mean().item<double>(); }

  /// (A^T A + rho D^T D) x
  at::Tensor curvature(const at::Tensor& x) const {
    at::Tensor out = op_.adjoint(op_.apply(x));
    for (const Axis& axis : axes_)
      out = out + rho_ * difference_adjoint(difference(x, axis.number, boundary_), axis.number, boundary_);
    return out;
  }

  void split(const at::Tensor& x) {
    const bool carried = config_.splitting == "carried";
    std::vector<at::Tensor> moved;
    for (const Axis& axis : axes_) {
      const at::Tensor steps = difference(x, axis.number, boundary_);
      moved.push_back(carried ? steps + axis.dual : steps);
    }
    if (moved.empty()) return;
    const double threshold = config_.tv_weight / config_.rho;
    const std::vector<at::Tensor> joint =
        config_.tv_norm == "joint" ? shrink_jointly(moved, threshold) : std::vector<at::Tensor>();
    for (std::size_t i = 0; i < axes_.size(); ++i) {
      axes_[i].split = joint.empty() ? shrink(moved[i], threshold) : joint[i];
      if (carried) axes_[i].dual = moved[i] - axes_[i].split;
    }
  }

  const DiffusionMbirConfig& config_;
  const ForwardOperator& op_;
  at::Tensor data_;
  double rho_;
  Boundary boundary_;
  std::vector<Axis> axes_;
};

/// DiffusionMBIR: a volume from measurements of its slices, with a prior of slices and total variation between them.
/// The batch is one volume, slice by slice in order: its items depend on each other. From sigma(1) z each time has
///   predictor, corrector  of ve_walk, slice by slice     then     VariationStep on the volume
/// and at the end x <- x + A^T (y - A x) / (A^T A 1). `start` is not used. Real images, linear operators.
/// Draws: ("prior", 0), ("predictor", k), ("corrector", k) in step k, of the whole volume whatever the chunk.
/// Quirk: official code carries the splitting along, with absolute weights and one iteration, wraps the differences
/// around, averages the corrector's norms over a chunk, and runs to t = 1e-10 with indices cut in float32: splitting,
/// weights, cg_iterations, boundary, langevin_norm, t_eps, index.
/// Source: Chung et al. 2023, "Solving 3D Inverse Problems using Pre-trained 2D Diffusion Models", Algorithm 1.
/// Official: hyungjin-chung/DiffusionMBIR, controllable_generation_TV.py.
class DiffusionMbir final : public Solver {
 public:
  explicit DiffusionMbir(DiffusionMbirConfig config) : config_(std::move(config)) {}

  at::Tensor solve(const at::Tensor& y, const at::Tensor&, const ForwardOperator& op, const diffusion::Process& process,
                   const diffusion::Denoiser& denoiser, SolveContext& context) const override {
    const c10::NoGradGuard no_gradients;
    RESEDA_REQUIRE(op.is_linear(), Errc::kUsage, "diffusion_mbir needs a linear operator");
    const std::vector<VeStep> steps = ve_steps("diffusion_mbir", config_.walk, process);
    SolverRun run("diffusion_mbir", config_.walk.steps, y, context);
    VariationStep variation(config_, op, y);
    const at::Tensor like = op.adjoint(y);
    RESEDA_REQUIRE(!like.is_complex(), Errc::kUsage, "diffusion_mbir needs an operator on real images");
    at::Tensor x = process.prior(like, context.sample.noise, context.sample.item);
    for (std::int64_t k = 0; k < config_.walk.steps; ++k) {
      std::vector<at::Tensor> parts;
      std::int64_t first = 0;
      for (const at::Tensor& part : x.chunk(x.size(0) / config_.chunk + 1)) {
        parts.push_back(walk(part, steps[k], k, first, denoiser, context));
        first += part.numel();
      }
      x = variation(at::cat(parts));
      const at::Tensor residual = item_norm(y - op.apply(x));
      run.after({.step = k, .t = steps[k].t, .residual = residual, .estimate = x, .state = x});
    }
    return config_.final_consistency ? normalised_step(op, x, y) : x;
  }

  std::int64_t network_calls() const override { return 2 * config_.walk.steps; }

 private:
  /// Prediction and correction of some slices; their draws are those of the volume from element `first` on.
  at::Tensor walk(const at::Tensor& x, const VeStep& step, std::int64_t k, std::int64_t first,
                  const diffusion::Denoiser& denoiser, SolveContext& context) const {
    const auto draw = [&](std::string_view stream) {
      const DrawKey key{context.sample.item, stream, static_cast<std::uint32_t>(k), static_cast<std::uint64_t>(first)};
      return diffusion::draw_like(context.sample.noise, key, x);
    };
    const at::Tensor predicted = ve_predict(step, x, ve_score(denoiser, step, x, 0), draw("predictor")).x;
    return ve_correct(config_.walk, predicted, ve_score(denoiser, step, predicted, 0), draw("corrector")).x;
  }

  DiffusionMbirConfig config_;
};

}  // namespace

const SolverEntry& solver_entry_diffusion_mbir() {
  static const auto entry = make_component<Solver, DiffusionMbir, DiffusionMbirConfig>(
      "diffusion_mbir", "volumes from a prior of slices: predictor-corrector with total variation between slices");
  return entry;
}

}  // namespace reseda::inverse
