#include "pipelines/medical/sinogram_reconstruction.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"
#include "modules/inverse/operators/radon.hpp"
#include "modules/inverse/plug_and_play.hpp"
#include "modules/inverse/wavelets.hpp"
#include "pipelines/medical/reported_steps.hpp"

namespace reseda::medical {
namespace {

inverse::Radon make_operator(const SinogramConfig& config, std::int64_t views, std::int64_t detectors) {
  inverse::RadonConfig radon;
  const std::int64_t side = config.size > 0 ? config.size : detectors;
  radon.image = {1, side, side};
  radon.rays = config.rays;
  radon.rays.views = views;
  radon.rays.detectors = detectors;
  radon.filter = config.filter;
  RESEDA_REQUIRE(radon.rays.angles.empty() || static_cast<std::int64_t>(radon.rays.angles.size()) == views,
                 Errc::kUsage, "the sinogram has ", views, " views, there are ", radon.rays.angles.size(), " angles");
  return inverse::Radon(radon);
}

/// |A|, by the power method; the start is the same every time.
double norm_of(const inverse::ForwardOperator& op, const at::Tensor& like) {
  at::Tensor x = at::ones_like(like);
  double norm = 1;
  for (int i = 0; i < 12; ++i) {
    x = op.adjoint(op.apply(x / x.norm()));
    norm = std::sqrt(x.norm().item<double>());
  }
  return norm;
}

/// An operator over its norm.
class Scaled final : public inverse::ForwardOperator {
 public:
  Scaled(const inverse::ForwardOperator& inner, double norm) : inner_(inner), scale_(1.0 / norm) {}
  at::Tensor apply(const at::Tensor& x) const override { return inner_.apply(x) * scale_; }
  at::Tensor adjoint(const at::Tensor& y) const override { return inner_.adjoint(y) * scale_; }
  at::Tensor pseudo_inverse(const at::Tensor& y) const override { return inner_.pseudo_inverse(y / scale_); }
  bool has_pseudo_inverse() const override { return false; }

 private:
  const inverse::ForwardOperator& inner_;
  double scale_;
};

std::int64_t total_steps(const SinogramConfig& c) {
  if (c.method == "fbp") return 1;
  return 1 + c.prior.steps +
         (c.method == "plug-and-play" ? c.prior.steps
          : c.method == "red-diff"    ? PriorDenoiser::kSteps
                                      : 0);
}

/// One splitting with a denoiser for images with white at 1.
at::Tensor splitting(const at::Tensor& y, const at::Tensor& start, const inverse::ForwardOperator& op, double sigma,
                     const SinogramConfig& config, const inverse::PluggedDenoiser& denoise, ReportedSteps& steps) {
  return inverse::plug_and_play(op, y, start, denoise,
                                {.steps = config.prior.steps,
                                 .sigma_first = config.prior.sigma_first,
                                 .sigma_last = config.prior.sigma_last,
                                 .lambda = config.prior.lambda,
                                 .sigma_y = sigma},
                                [&](std::int64_t) { steps.next(); });
}

}  // namespace

void SinogramConfig::validate() const {
  diffusion::require_choice("sinogram.method", method, {"fbp", "wavelet", "plug-and-play", "red-diff"});
  RESEDA_REQUIRE(size == 0 || (size >= 16 && size <= 8192), Errc::kUsage,
                 "sinogram.size must be 0, or 16 to 8192, got ", size);
  RESEDA_REQUIRE(water > 0 && std::isfinite(water), Errc::kUsage, "sinogram.water must be above 0, got ", water);
  RESEDA_REQUIRE(threshold >= 0, Errc::kUsage, "sinogram.threshold must not be negative, got ", threshold);
  RESEDA_REQUIRE(levels >= 1 && levels <= 8, Errc::kUsage, "sinogram.levels must be 1 to 8, got ", levels);
  prior.validate();
}

double integral_noise(const at::Tensor& y) {
  const std::int64_t n = y.size(1);
  RESEDA_REQUIRE(n >= 3, Errc::kInput, "a sinogram needs at least 3 detector elements, got ", n);
  const at::Tensor second = y.narrow(1, 0, n - 2) - 2 * y.narrow(1, 1, n - 2) + y.narrow(1, 2, n - 2);
  return 1.4826 * second.abs().median().item<double>() / std::sqrt(6.0);
}

SinogramImage reconstruct_sinogram(const at::Tensor& y, const SinogramConfig& config, const PriorDenoiser* prior,
                                   NoiseSource& noise, const std::string& item, const ProgressSink& progress) {
  RESEDA_INVARIANT(y.dim() == 2 && (prior != nullptr || !config.needs_prior()));
  RESEDA_REQUIRE(y.isfinite().all().item<bool>() && y.abs().max().item<double>() > 0, Errc::kInput,
                 "the sinogram is empty, or holds values that are not finite");
  ReportedSteps steps(progress, total_steps(config));
  const inverse::Radon op = make_operator(config, y.size(0), y.size(1));
  const at::Tensor integrals = y.t().contiguous().unsqueeze(0).unsqueeze(0);
  const double sigma = integral_noise(y), white = 2.0 * config.water;
  at::Tensor x = op.pseudo_inverse(integrals);
  steps.next();
  if (config.method != "fbp") {
    x = x.clamp_min(0) / white;
    const at::Tensor y_white = integrals / white;
    const double sigma_white = sigma / white;
    const std::int64_t unit = std::int64_t{1} << config.levels;
    const auto shrink = [&](const at::Tensor& image, double level, std::int64_t k) {
      return inverse::shrink_wavelets(image, config.threshold * level, config.levels, (k * 5) % unit, (k * 11) % unit)
          .clamp_min(0);
    };
    x = splitting(y_white, x, op, sigma_white, config, shrink, steps);
    if (config.method == "plug-and-play") {
      const auto ask = [&](const at::Tensor& image, double level, std::int64_t) {
        return prior->denoise(image, level, config.prior.views);
      };
      x = splitting(y_white, x, op, sigma_white, config, ask, steps);
    }
    if (config.method == "red-diff") {
      const double norm = norm_of(op, x);
      const Scaled scaled(op, norm);
      diffusion::SampleContext context{noise, item, steps.inner(), {}};
      x = prior->regularise(config.prior, y_white / norm, x, scaled, sigma_white / norm, context);
    }
    x = x * white;
  }
  SinogramImage out;
  out.misfit = ((integrals - op.apply(x)).square().sum() / integrals.square().sum()).item<double>();
  out.noise = sigma;
  out.slice = (config.hounsfield ? (x / config.water - 1.0) * 1000.0 : x)[0][0].to(at::kFloat).contiguous();
  return out;
}

}  // namespace reseda::medical
