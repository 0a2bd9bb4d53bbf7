#include "pipelines/medical/kspace_reconstruction.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"
#include "modules/inverse/coil_maps.hpp"
#include "modules/inverse/conjugate_gradient.hpp"
#include "modules/inverse/fourier.hpp"
#include "modules/inverse/plug_and_play.hpp"
#include "modules/inverse/proximal_gradient.hpp"
#include "modules/inverse/wavelets.hpp"
#include "pipelines/medical/reported_steps.hpp"

namespace reseda::medical {
namespace {

inverse::Mri make_operator(const at::Tensor& mask, const at::Tensor& maps, const char* values) {
  inverse::MriConfig config;
  config.image = {1, mask.size(0), mask.size(1)};
  config.values = values;
  return {config, mask, maps};
}

/// e^{i phi} of the low frequencies of an image, [1,1,H,W] complex.
at::Tensor low_frequency_phase(const at::Tensor& image, std::int64_t side) {
  const at::Tensor low = inverse::low_resolution_maps(inverse::centred_fft2(image), side);
  return low;  // one "coil": its map is x / |x|
}

/// The value below which 99.5 % of the pixels lie: white, as the prior was trained.
double white_of(const at::Tensor& magnitude) {
  const at::Tensor sorted = std::get<0>(magnitude.flatten().sort());
  return sorted[static_cast<std::int64_t>(0.995 * static_cast<double>(sorted.numel() - 1))].item<double>();
}

/// One slice on its way; spectra are [1,coils,H,W], images [1,1,H,W], all divided by `scale`.
class Slice {
 public:
  Slice(const at::Tensor& y, const at::Tensor& mask, const KspaceConfig& config, const ProgressSink& progress)
      : config_(config), mask_(mask), steps_(progress, total_steps(config)) {
    RESEDA_REQUIRE(mask.sum().item<double>() > 0, Errc::kInput, "nothing of the spectrum is measured");
    const at::Tensor coils = inverse::centred_ifft2(y.unsqueeze(0));
    scale_ = inverse::root_sum_of_squares(coils, 1).max().item<double>();
    RESEDA_REQUIRE(std::isfinite(scale_) && scale_ > 0, Errc::kInput, "the spectrum is empty or not finite");
    y_ = y.unsqueeze(0) / scale_;
    zero_filled_ = coils / scale_;
    noise_ = sample_noise(y_[0], mask);
  }

  KspaceImage run(const PriorDenoiser* prior, NoiseSource& noise, const std::string& item) {
    if (config_.method == "zero-filled") return finished(zero_filled_, false);
    side_ = calibration_side(mask_, config_.calibration);
    RESEDA_REQUIRE(side_ >= config_.kernel, Errc::kInput, "the middle of the spectrum is sampled in a square of only ",
                   side_, " samples; coil maps need ", config_.kernel, " (--method zero-filled needs none)");
    maps_ = estimated_maps();
    steps_.next();
    at::Tensor x = least_squares();
    if (config_.method != "cg-sense") {
      phase_ = low_frequency_phase(x, config_.calibration);
      x = x * phase_.conj();
      maps_ = maps_ * phase_;
      x = sparse(x);
    }
    if (config_.method == "plug-and-play") x = plugged(x, *prior);
    if (config_.method == "red-diff") x = regularised(x, *prior, noise, item);
    return finished(maps_ * x, true);
  }

 private:
  static std::int64_t total_steps(const KspaceConfig& c) {
    if (c.method == "zero-filled") return 1;
    if (c.method == "cg-sense") return 3;
    return 3 + c.iterations +
           (c.method == "plug-and-play" ? c.prior.steps
            : c.method == "red-diff"    ? PriorDenoiser::kSteps
                                        : 0);
  }

  at::Tensor estimated_maps() const {
    if (config_.maps == "low-resolution") return inverse::low_resolution_maps(y_, side_);
    return inverse::espirit_maps(
        y_, {.calibration = side_, .kernel = config_.kernel, .crop = config_.crop, .iterations = 40});
  }

  at::Tensor least_squares() {
    const inverse::Mri op = make_operator(mask_, maps_, "complex");
    const at::Tensor x = inverse::least_squares(op, y_, config_.cg_weight, {}, {config_.cg_iterations, 1e-5}).x;
    steps_.next();
    return x;
  }

  at::Tensor shrunk(const at::Tensor& x, double threshold, std::int64_t k) const {
    const std::int64_t unit = std::int64_t{1} << config_.levels, down = (k * 5) % unit,
                       across = (k * 11 + k / unit) % unit;
    return at::complex(
        inverse::shrink_wavelets(at::real(x), threshold, config_.levels, down, across),
        inverse::shrink_wavelets(at::imag(x), threshold * config_.imaginary, config_.levels, down, across));
  }

  at::Tensor sparse(const at::Tensor& start) {
    const inverse::Mri op = make_operator(mask_, maps_, "complex");
    const double threshold = config_.threshold * noise_;
    return inverse::proximal_gradient(
        op, y_, start, [&](const at::Tensor& x, std::int64_t k) { return shrunk(x, threshold, k); }, config_.iterations,
        [&](std::int64_t) { steps_.next(); });
  }

  at::Tensor plugged(const at::Tensor& start, const PriorDenoiser& prior) {
    const inverse::Mri op = make_operator(mask_, maps_, "complex");
    const double white = white_of(start.abs());
    const auto denoise = [&](const at::Tensor& x, double sigma, std::int64_t k) {
      const at::Tensor in_phase = prior.denoise(at::real(x) / white, sigma / white, config_.prior.views) * white;
      const at::Tensor out_of_phase = at::imag(shrunk(x, config_.threshold * noise_, k));
      return at::complex(in_phase, out_of_phase);
    };
    return inverse::plug_and_play(op, y_, start, denoise,
                                  {.steps = config_.prior.steps,
                                   .sigma_first = config_.prior.sigma_first * white,
                                   .sigma_last = config_.prior.sigma_last * white,
                                   .lambda = config_.prior.lambda,
                                   .sigma_y = noise_},
                                  [&](std::int64_t) { steps_.next(); });
  }

  /// A real image with the phase of the low frequencies.
  at::Tensor regularised(const at::Tensor& start, const PriorDenoiser& prior, NoiseSource& noise,
                         const std::string& item) {
    const double white = white_of(start.abs());
    const inverse::Mri op = make_operator(mask_, maps_, "real");
    diffusion::SampleContext context{noise, item, steps_.inner(), {}};
    const at::Tensor x =
        prior.regularise(config_.prior, y_ / white, at::real(start) / white, op, noise_ / white, context) * white;
    return x;
  }

  /// @param coils  images of the coils, [1,coils,H,W]
  KspaceImage finished(const at::Tensor& coils, bool combined) {
    const at::Tensor spectrum = inverse::centred_fft2(coils), rest = (y_ - spectrum) * mask_;
    at::Tensor magnitude = inverse::root_sum_of_squares(coils, 1);
    if (combined && config_.remainder)
      magnitude = (magnitude.square() + inverse::root_sum_of_squares(inverse::centred_ifft2(rest), 1).square()).sqrt();
    steps_.next();
    KspaceImage out;
    out.magnitude = (magnitude[0] * scale_).to(at::kFloat);
    out.prediction = (spectrum[0] * scale_).to(at::kComplexFloat);
    out.noise = noise_ * scale_;
    out.misfit = (rest.abs().square().sum() / y_.abs().square().sum()).item<double>();
    out.calibration = side_;
    return out;
  }

  const KspaceConfig& config_;
  at::Tensor mask_, y_, zero_filled_, maps_, phase_;
  ReportedSteps steps_;
  double scale_ = 1, noise_ = 0;
  std::int64_t side_ = 0;
};

}  // namespace

void KspaceConfig::validate() const {
  diffusion::require_choice("kspace.method", method,
                            {"zero-filled", "cg-sense", "wavelet-sense", "plug-and-play", "red-diff"});
  diffusion::require_choice("kspace.maps", maps, {"espirit", "low-resolution"});
  RESEDA_REQUIRE(kernel >= 2 && kernel <= calibration && calibration <= 256, Errc::kUsage,
                 "kspace.kernel must be 2 to kspace.calibration, and that at most 256, got ", kernel, " and ",
                 calibration);
  RESEDA_REQUIRE(crop >= 0 && crop < 1, Errc::kUsage, "kspace.crop must be 0 or more and below 1, got ", crop);
  RESEDA_REQUIRE(cg_iterations >= 1 && iterations >= 1, Errc::kUsage, "kspace: iterations must be at least 1");
  RESEDA_REQUIRE(cg_weight >= 0 && threshold >= 0 && imaginary >= 0, Errc::kUsage,
                 "kspace: cg_weight, threshold and imaginary must not be negative");
  RESEDA_REQUIRE(levels >= 1 && levels <= 8, Errc::kUsage, "kspace.levels must be 1 to 8, got ", levels);
  prior.validate();
}

double sample_noise(const at::Tensor& y, const at::Tensor& mask) {
  const auto axis = [](std::int64_t length) {
    const double half = static_cast<double>(length) / 2;
    return (at::arange(length, at::kDouble) - static_cast<double>(length / 2)).abs() / half;
  };
  const at::Tensor radius = at::maximum(axis(mask.size(0)).unsqueeze(1), axis(mask.size(1)).unsqueeze(0));
  const at::Tensor power = y.abs().to(at::kDouble);
  for (const double from : {0.9, 0.8, 0.7, 0.6, 0.5, 0.0}) {
    const at::Tensor outer = at::logical_and(mask > 0, radius >= from);
    if (outer.sum().item<std::int64_t>() < 100 && from > 0) continue;
    const at::Tensor values = power.masked_select(outer.unsqueeze(0));
    if (values.numel() > 0) return values.median().item<double>() / std::sqrt(std::numbers::ln2);
  }
  return 0;
}

std::int64_t calibration_side(const at::Tensor& mask, std::int64_t most) {
  for (std::int64_t side = std::min({most, mask.size(0), mask.size(1)}); side >= 1; --side) {
    const at::Tensor square =
        mask.narrow(0, mask.size(0) / 2 - side / 2, side).narrow(1, mask.size(1) / 2 - side / 2, side);
    if (square.mean().item<double>() >= 0.98) return side;
  }
  return 0;
}

KspaceImage reconstruct_kspace(const at::Tensor& y, const at::Tensor& mask, const KspaceConfig& config,
                               const PriorDenoiser* prior, NoiseSource& noise, const std::string& item,
                               const ProgressSink& progress) {
  RESEDA_INVARIANT(y.dim() == 3 && y.is_complex() && mask.dim() == 2);
  RESEDA_INVARIANT(prior != nullptr || !config.needs_prior());
  return Slice(y, mask, config, progress).run(prior, noise, item);
}

}  // namespace reseda::medical
