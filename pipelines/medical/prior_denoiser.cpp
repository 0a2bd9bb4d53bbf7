#include "pipelines/medical/prior_denoiser.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "modules/core/error.hpp"

namespace reseda::medical {
namespace {

constexpr std::int64_t kUnit = 16;  // sides that networks of up to five levels take

class Padded final : public diffusion::Denoiser {
 public:
  Padded(std::unique_ptr<diffusion::Denoiser> inner, std::int64_t unit) : inner_(std::move(inner)), unit_(unit) {}
  diffusion::Estimates operator()(const at::Tensor& x, double t, const diffusion::Condition& condition) const override {
    const std::int64_t height = x.size(2), width = x.size(3);
    const at::Tensor whole =
        at::replication_pad2d(x, {0, (unit_ - width % unit_) % unit_, 0, (unit_ - height % unit_) % unit_});
    const diffusion::Estimates out = (*inner_)(whole, t, condition);
    const auto cut = [&](const at::Tensor& y) { return y.narrow(2, 0, height).narrow(3, 0, width); };
    return {cut(out.x0), cut(out.eps)};
  }

 private:
  std::unique_ptr<diffusion::Denoiser> inner_;
  std::int64_t unit_;
};

/// An operator on slices with white at 1, for solvers whose images reach from -1 to 1: H((x + 1) / 2) without its
/// constant part H(1/2), which the measurement loses too.
class Centred final : public inverse::ForwardOperator {
 public:
  explicit Centred(const inverse::ForwardOperator& inner) : inner_(inner) {}
  at::Tensor apply(const at::Tensor& x) const override { return inner_.apply(0.5 * x); }
  at::Tensor adjoint(const at::Tensor& y) const override { return 0.5 * inner_.adjoint(y); }
  at::Tensor pseudo_inverse(const at::Tensor& y) const override { return 2.0 * inner_.pseudo_inverse(y); }
  bool has_pseudo_inverse() const override { return inner_.has_pseudo_inverse(); }

 private:
  const inverse::ForwardOperator& inner_;
};

}  // namespace

void PriorConfig::validate() const {
  RESEDA_REQUIRE(steps >= 1 && steps <= 1000, Errc::kUsage, "prior.steps must be in 1 to 1000, got ", steps);
  RESEDA_REQUIRE(sigma_last > 0 && sigma_first >= sigma_last, Errc::kUsage,
                 "prior.sigma_first must be at least prior.sigma_last, and that above 0, got ", sigma_first, " and ",
                 sigma_last);
  RESEDA_REQUIRE(lambda > 0, Errc::kUsage, "prior.lambda must be above 0, got ", lambda);
  RESEDA_REQUIRE(views == 1 || views == 2 || views == 4, Errc::kUsage, "prior.views must be 1, 2 or 4, got ", views);
}

std::unique_ptr<diffusion::Denoiser> for_any_sides(std::unique_ptr<diffusion::Denoiser> inner, std::int64_t unit) {
  return std::make_unique<Padded>(std::move(inner), unit);
}

double time_of(const diffusion::Process& process, double ratio) {
  double low = process.t_end(), high = process.t_start();
  for (int i = 0; i < 60; ++i) {
    const double middle = 0.5 * (low + high);
    const diffusion::Marginal m = process.at(middle);
    (m.c.scalar() / m.a.scalar() < ratio ? low : high) = middle;
  }
  return process.nearest_time(0.5 * (low + high));
}

PriorDenoiser::PriorDenoiser(const std::filesystem::path& file, c10::Device device)
    : model_(restoration::RestorationModel::load(file)) {
  RESEDA_REQUIRE(!model_.config().conditional, Errc::kCheckpoint, file.string(),
                 ": is a restoration model; reconstruction needs an unconditional prior");
  model_.network().to(device);
  for (const auto& [name, tensor] : model_.network().tensors()) tensor.set_requires_grad(false);
  denoiser_ = for_any_sides(model_.denoiser(), kUnit);
}

at::Tensor PriorDenoiser::denoise(const at::Tensor& x, double sigma, std::int64_t views) const {
  const c10::NoGradGuard no_gradients;
  const double t = time_of(model_.process(), 2.0 * sigma), a = model_.process().at(t).a.scalar();
  const at::Tensor seen = model_.to_network(x) * a;
  at::Tensor sum = at::zeros_like(seen);
  for (std::int64_t view = 0; view < views; ++view) {
    std::vector<std::int64_t> axes;
    if (view & 1) axes.push_back(3);
    if (view & 2) axes.push_back(2);
    const at::Tensor mirrored = axes.empty() ? seen : seen.flip(axes);
    const at::Tensor x0 = (*denoiser_)(mirrored, t, {}).x0;
    sum += axes.empty() ? x0 : x0.flip(axes);
  }
  return model_.to_pixels(sum / static_cast<double>(views));
}

at::Tensor PriorDenoiser::regularise(const PriorConfig& config, const at::Tensor& y, const at::Tensor& start,
                                     const inverse::ForwardOperator& op, double sigma_y,
                                     diffusion::SampleContext& context) const {
  const Centred centred(op);
  const at::Tensor shifted = y - op.apply(at::full_like(start, 0.5));
  inverse::SolveContext solve_context{context, sigma_y, {}};
  ConfigNode settings = ConfigNode::map();
  settings["name"] = ConfigNode("red_diff");
  settings["steps"] = ConfigNode(std::to_string(kSteps));
  settings["start_step"] = ConfigNode("400");
  settings["lr"] = ConfigNode("0.005");
  settings["obs_weight"] = ConfigNode("1000");
  settings.merge(config.solver);
  const auto solver = inverse::make_solver(settings, "prior.solver");
  const at::Tensor x =
      solver->solve(shifted, 2.0 * start - 1.0, centred, model_.process(), *denoiser_, solve_context).detach();
  return 0.5 * (x + 1.0);
}

}  // namespace reseda::medical
