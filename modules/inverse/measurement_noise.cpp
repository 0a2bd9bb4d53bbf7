#include "modules/inverse/measurement_noise.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::inverse {
namespace {

constexpr double kLargestPeak = 1e9;
constexpr double kLeastAmount = 1e-6;

/// P(k <= K) of the Poisson law, 0 for K < 0.
at::Tensor poisson_below(const at::Tensor& count, const at::Tensor& mean) {
  return at::where(count < 0, at::zeros_like(mean), at::special_gammaincc(count.clamp_min(0) + 1, mean));
}

/// The least K with P(k <= K) >= Phi(z), from the guess of Cornish and Fisher 1938. @param mean  float64
at::Tensor poisson_quantile(const at::Tensor& mean, const at::Tensor& z) {
  const at::Tensor probability = at::special_ndtr(z);
  at::Tensor count = (mean + z * mean.sqrt() + (z.square() - 1) / 6).floor().clamp_min(0);
  // Each round moves the counts that are off by one; the guess is off by few.
  for (;;) {
    const at::Tensor low = poisson_below(count, mean) < probability;
    const at::Tensor high = (poisson_below(count - 1, mean) >= probability).logical_and(count > 0);
    if (!low.logical_or(high).any().item<bool>()) return count;
    count = count + low.to(count.scalar_type()) - high.to(count.scalar_type());
  }
}

at::Tensor amount_of(const at::Tensor& clean, double dark) { return ((clean - dark) / (1 - dark)).clamp_min(0); }

}  // namespace

void MeasurementNoiseConfig::validate() const {
  diffusion::require_choice("noise.model", model,
                            {"none", "gaussian", "poisson", "poisson_gaussian", "rician", "speckle"});
  RESEDA_REQUIRE(std::isfinite(sigma) && sigma >= 0, Errc::kUsage, "noise.sigma must be >= 0, got ", sigma);
  RESEDA_REQUIRE(peak > 0 && peak <= kLargestPeak, Errc::kUsage, "noise.peak must be in (0, ", kLargestPeak, "], got ",
                 peak);
  RESEDA_REQUIRE(looks >= 1 && looks <= 1000, Errc::kUsage, "noise.looks must be 1 .. 1000, got ", looks);
  RESEDA_REQUIRE(std::isfinite(dark) && dark < 1, Errc::kUsage, "noise.dark must be below 1, got ", dark);
}

at::Tensor add_measurement_noise(const MeasurementNoiseConfig& config, const at::Tensor& clean, NoiseSource& noise,
                                 std::string_view item) {
  config.validate();
  if (config.model == "none") return clean;
  RESEDA_REQUIRE(!clean.is_complex() || config.model == "gaussian", Errc::kUsage, "noise.model ", config.model,
                 " needs a real measurement");
  const auto draw = [&](std::uint32_t step, at::IntArrayRef shape) {
    return noise.normal({item, "measurement", step}, shape).to(clean.device(), at::kDouble);
  };
  if (config.model == "gaussian") {
    const double scale = config.sigma * (clean.is_complex() ? std::sqrt(2.0) : 1.0);
    const at::ScalarType type = clean.is_complex() ? at::kComplexFloat : at::kFloat;
    return clean + scale * noise.normal({item, "measurement", 0}, clean.sizes(), type).to(clean.options());
  }
  const at::Tensor mean = clean.to(at::kDouble), amount = amount_of(mean, config.dark);
  const double dark = config.dark, span = 1 - dark;
  at::Tensor y;
  if (config.model == "rician") {
    const at::Tensor along = draw(0, mean.sizes()), across = draw(1, mean.sizes());
    y = dark + at::hypot(span * amount + config.sigma * along, config.sigma * across);
  } else if (config.model == "speckle") {
    std::vector<std::int64_t> shape = mean.sizes().vec();
    shape.push_back(2 * config.looks);
    y = dark + span * amount * draw(0, shape).square().mean(-1);
  } else {
    y = dark + span / config.peak * poisson_quantile(config.peak * amount, draw(0, mean.sizes()));
    if (config.model == "poisson_gaussian") y = y + config.sigma * draw(1, mean.sizes());
  }
  return y.to(clean.scalar_type());
}

at::Tensor log_likelihood_gradient(const MeasurementNoiseConfig& config, const at::Tensor& y, const at::Tensor& clean) {
  config.validate();
  const bool needs_sigma = config.model == "gaussian" || config.model == "rician";
  RESEDA_REQUIRE(config.model != "none" && (!needs_sigma || config.sigma > 0), Errc::kUsage, "noise.model ",
                 config.model, " with sigma ", config.sigma, " has no density");
  const double variance = config.sigma * config.sigma;
  if (config.model == "gaussian") return (y - clean) / variance;
  const double span = 1 - config.dark;
  const at::Tensor seen = (y.to(at::kDouble) - config.dark) / span;
  const at::Tensor amount = amount_of(clean.to(at::kDouble), config.dark).clamp_min(kLeastAmount);
  at::Tensor slope;  // of the amount
  if (config.model == "poisson") {
    slope = config.peak * (seen / amount - 1);
  } else if (config.model == "poisson_gaussian") {
    const at::Tensor spread = amount / config.peak + variance / (span * span), error = seen - amount;
    slope = error / spread + (error.square() / spread - 1) / (2 * config.peak * spread);
  } else if (config.model == "speckle") {
    slope = static_cast<double>(config.looks) * (seen / amount - 1) / amount;
  } else {
    const double own = variance / (span * span);
    const at::Tensor product = seen * amount / own;
    slope = (seen * at::special_i1e(product) / at::special_i0e(product) - amount) / own;
  }
  return (slope / span).to(clean.scalar_type());
}

}  // namespace reseda::inverse
