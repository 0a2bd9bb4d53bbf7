#include "modules/metrics/noise_level.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/metrics/summary.hpp"

namespace reseda::metrics {
namespace {

constexpr std::int64_t kMostPairs = 32;
constexpr double kInObject = 0.9;        ///< share of a patch that must lie in the object
constexpr std::size_t kFewest = 16;      ///< patches; fewer are no estimate of an object that was guessed
constexpr double kRayleigh = 1.9130584;  ///< sqrt(pi / (4 - pi))

/// Squared noise of patches, in float64: values[i] of a patch and its mean.
struct PatchNoise {
  std::vector<double> variance, mean;
  double overlap = 1.0;  ///< patches per patch that does not overlap others
  double freedom = 1.0;  ///< nu
  NoiseSite site = NoiseSite::kFlatPatches;
};

at::Tensor checked_stack(const at::Tensor& image, std::int64_t patch, const char* what) {
  RESEDA_REQUIRE(!image.is_complex() && (image.dim() == 2 || image.dim() == 3), Errc::kInput, what,
                 ": expected a real image [H,W] or [D,H,W], got ", image.sizes());
  RESEDA_REQUIRE(image.numel() > 0 && image.size(-1) >= patch && image.size(-2) >= patch, Errc::kInput, what,
                 ": slices of ", image.sizes(), " are smaller than a patch of ", patch, " x ", patch, " pixels");
  const at::Tensor stack = (image.dim() == 2 ? image.unsqueeze(0) : image).detach().to(at::kCPU);
  RESEDA_REQUIRE(at::isfinite(stack).all().item<bool>(), Errc::kInput, what, ": NaN or infinite values");
  return stack;
}

/// The threshold that separates two classes best: the largest variance between them, over 256 bins.
double otsu_threshold(const at::Tensor& values) {
  const double low = values.min().item<double>(), high = values.max().item<double>();
  if (!(high > low)) return low;
  const at::Tensor counts = at::histc(values.to(at::kDouble), 256, low, high);
  const at::Tensor centres = low + (at::arange(256, at::kDouble) + 0.5) * ((high - low) / 256);
  const at::Tensor below = counts.cumsum(0), sum = (counts * centres).cumsum(0);
  const at::Tensor total = below[255], above = total - below;
  const at::Tensor between = (sum[255] * below - sum * total).square() / (below * above);
  return centres[at::nan_to_num(between, 0.0, 0.0, 0.0).argmax().item<std::int64_t>()].item<double>();
}

/// Patches of a slice, a row each. @return [patches, size^2] float64
at::Tensor patches_of(const at::Tensor& slice, std::int64_t size, std::int64_t stride) {
  return slice.to(at::kDouble).unfold(0, size, stride).unfold(1, size, stride).reshape({-1, size * size});
}

/// Orthonormal polynomials over a patch of total degree up to `degree`, the constant first. @return [size^2, terms]
at::Tensor polynomials(std::int64_t size, int degree) {
  const at::Tensor axis = at::linspace(-1.0, 1.0, size, at::kDouble);
  const at::Tensor y = axis.unsqueeze(1).expand({size, size}), x = axis.expand({size, size});
  std::vector<at::Tensor> columns;
  for (int order = 0; order <= degree; ++order)
    for (int i = 0; i <= order; ++i) {
      at::Tensor column = (x.pow(order - i) * y.pow(i)).flatten();
      for (int pass = 0; pass < 2; ++pass)
        for (const at::Tensor& other : columns) column = column - other * column.dot(other);
      columns.push_back(column / column.norm());
    }
  return at::stack(columns, 1);
}

/// Energy of each patch outside the polynomials. @return [patches]
at::Tensor energy_outside(const at::Tensor& patches, const at::Tensor& terms) {
  return (patches - patches.matmul(terms).matmul(terms.t())).square().sum(1);
}

struct PatchPlan {
  std::int64_t size = 16;
  double flattest_of_stack = 0.25, flattest_of_slice = 0.1;
};

/// What patches of one slice, or of two neighbours, say: rows (squared noise, roughness, mean, share in the object).
at::Tensor patch_table(const at::Tensor& stack, const at::Tensor& object, std::int64_t k, const PatchPlan& plan) {
  const std::int64_t size = plan.size;
  const bool pair = stack.size(0) > 1;
  const std::int64_t stride = pair ? size / 2 : size / 4;
  const at::Tensor terms = polynomials(size, pair ? 1 : 2);
  const auto freedom = static_cast<double>(size * size - terms.size(1));
  const at::Tensor here = patches_of(stack[k], size, stride);
  const at::Tensor inside = patches_of(pair ? object[k].logical_and(object[k + 1]) : object[k], size, stride).mean(1);
  if (!pair) {
    const at::Tensor rough = here.matmul(terms.slice(1, 1)).square().sum(1);
    return at::stack({energy_outside(here, terms) / freedom, rough, here.mean(1), inside}, 1);
  }
  const at::Tensor next = patches_of(stack[k + 1], size, stride);
  const at::Tensor rough = energy_outside(next + here, terms.slice(1, 0, 1));
  return at::stack({energy_outside(next - here, terms) / (2 * freedom), rough, (next + here).mean(1) / 2, inside}, 1);
}

/// The flattest patches of the object.
/// @param known  whether the object was given, so that there is no other place to look
PatchNoise flattest_patches(const at::Tensor& stack, const at::Tensor& object, bool known, const PatchPlan& plan) {
  const bool pair = stack.size(0) > 1;
  const std::int64_t most = std::max<std::int64_t>(1, stack.size(0) - 1), count = std::min(most, kMostPairs);
  std::vector<at::Tensor> tables;
  for (std::int64_t i = 0; i < count; ++i) tables.push_back(patch_table(stack, object, i * most / count, plan));
  at::Tensor table = at::cat(tables);
  table = table.index({table.select(1, 0) > 0});
  const at::Tensor inside = table.index({table.select(1, 3) >= kInObject});
  RESEDA_REQUIRE(!known || inside.size(0) > 0, Errc::kInput, "noise_level: no patch of ", plan.size, " x ", plan.size,
                 " pixels lies in the region");
  if (known || inside.size(0) >= static_cast<std::int64_t>(kFewest)) table = inside;
  const double share = pair ? plan.flattest_of_stack : plan.flattest_of_slice;
  const auto kept = std::max(std::min<std::int64_t>(table.size(0), kFewest),
                             static_cast<std::int64_t>(std::llround(share * static_cast<double>(table.size(0)))));
  table = table.index({std::get<1>(table.select(1, 1).sort()).slice(0, 0, kept)}).t().contiguous();
  const double *variance = table[0].const_data_ptr<double>(), *mean = table[2].const_data_ptr<double>();
  PatchNoise out;
  out.variance.assign(variance, variance + kept);
  out.mean.assign(mean, mean + kept);
  out.overlap = pair ? 4.0 : 16.0;
  out.freedom = static_cast<double>(plan.size * plan.size - (pair ? 3 : 6));
  out.site = pair ? NoiseSite::kSliceDifferences : NoiseSite::kFlatPatches;
  return out;
}

/// Median with the 95 % interval of its rank: (1 -+ 1.96 / sqrt(n)) / 2, n patches that do not overlap.
NoiseLevel median_level(std::vector<double> sigmas, double overlap, NoiseSite site) {
  if (sigmas.empty()) return {.site = site};
  std::sort(sigmas.begin(), sigmas.end());
  const double half = std::min(0.5, 0.98 / std::sqrt(std::max(1.0, static_cast<double>(sigmas.size()) / overlap)));
  return {.sigma = sorted_quantile(sigmas, 0.5),
          .low = sorted_quantile(sigmas, 0.5 - half),
          .high = sorted_quantile(sigmas, 0.5 + half),
          .patches = static_cast<std::int64_t>(sigmas.size()),
          .site = site};
}

NoiseLevel level_of(const PatchNoise& noise) {
  const double to_mean = std::pow(1.0 - 2.0 / (9.0 * noise.freedom), 3);
  std::vector<double> sigmas(noise.variance.size());
  std::transform(noise.variance.begin(), noise.variance.end(), sigmas.begin(),
                 [&](double variance) { return std::sqrt(variance / to_mean); });
  return median_level(std::move(sigmas), noise.overlap, noise.site);
}

PatchNoise object_noise(const at::Tensor& stack, const at::Tensor& region, const PatchPlan& plan) {
  if (!region.defined()) return flattest_patches(stack, stack > otsu_threshold(stack), false, plan);
  RESEDA_REQUIRE(region.numel() == stack.numel() && region.scalar_type() == at::kBool, Errc::kInput,
                 "noise_level: the region must be bool of the image's shape, got ", region.sizes());
  return flattest_patches(stack, region.to(at::kCPU).view(stack.sizes()), true, plan);
}

/// Centre of the densest half, of its densest half, and so on. @param ascending  not empty
double half_sample_mode(std::span<const double> ascending) {
  while (ascending.size() > 2) {
    const std::size_t half = (ascending.size() + 1) / 2;
    std::size_t best = 0;
    for (std::size_t i = 1; i + half <= ascending.size(); ++i)
      if (ascending[i + half - 1] - ascending[i] < ascending[best + half - 1] - ascending[best]) best = i;
    ascending = ascending.subspan(best, half);
  }
  return (ascending.front() + ascending.back()) / 2;
}

/// sqrt(mean y^2 / 2) of the dark patches that have the ratio of Rayleigh noise, ascending, and how many patches there
/// are in all.
std::vector<double> rayleigh_patches(const at::Tensor& stack, std::int64_t size, std::int64_t& all) {
  const double threshold = otsu_threshold(stack);
  const std::int64_t count = std::min(stack.size(0), 2 * kMostPairs);
  std::vector<double> sigmas;
  all = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const at::Tensor patches = patches_of(stack[i * stack.size(0) / count], size, size);
    const at::Tensor mean = patches.mean(1), ratio = mean / patches.std(1, /*unbiased=*/false);
    const at::Tensor zeros = (patches == 0).to(at::kDouble).mean(1);
    const at::Tensor dark = (mean < threshold)
                                .logical_and(zeros <= 0.25)
                                .logical_and(patches.amin({1}) >= 0)
                                .logical_and((ratio - kRayleigh).abs() < 0.5);
    const at::Tensor found = (patches.index({dark}).square().mean(1) / 2).sqrt().contiguous();
    sigmas.insert(sigmas.end(), found.const_data_ptr<double>(), found.const_data_ptr<double>() + found.numel());
    all += patches.size(0);
  }
  std::sort(sigmas.begin(), sigmas.end());
  return sigmas;
}

/// The level that patches of air agree about, or nothing.
std::optional<NoiseLevel> background_level(const at::Tensor& stack, std::int64_t size) {
  std::int64_t all = 0;
  const std::vector<double> sigmas = rayleigh_patches(stack, size, all);
  if (sigmas.empty()) return std::nullopt;
  double centre = half_sample_mode(sigmas);
  std::vector<double> agreeing;
  for (int pass = 0; pass < 3 && centre > 0; ++pass) {
    const auto first = std::lower_bound(sigmas.begin(), sigmas.end(), 0.8 * centre);
    agreeing.assign(first, std::upper_bound(first, sigmas.end(), 1.2 * centre));
    centre = sorted_quantile(agreeing, 0.5);
  }
  const auto no_larger = std::upper_bound(sigmas.begin(), sigmas.end(), 1.2 * centre) - sigmas.begin();
  const std::size_t least = std::max<std::size_t>(50, static_cast<std::size_t>(all) / 100);
  if (agreeing.size() < least || 2 * static_cast<std::ptrdiff_t>(agreeing.size()) < no_larger) return std::nullopt;
  return median_level(std::move(agreeing), 1.0, NoiseSite::kBackground);
}

/// Noise of the channels from that of the magnitude.
NoiseLevel without_rician(NoiseLevel level, const PatchNoise& noise) {
  if (level.patches == 0) return level;
  std::vector<double> means = noise.mean;
  std::sort(means.begin(), means.end());
  const double theta = rician_signal_ratio(sorted_quantile(means, 0.5) / level.sigma);
  const double scale = 1.0 / std::sqrt(rician_variance_factor(theta));
  for (double* value : {&level.sigma, &level.low, &level.high}) *value *= scale;
  return level;
}

}  // namespace

const char* noise_site_name(NoiseSite site) {
  switch (site) {
    case NoiseSite::kSliceDifferences:
      return "slice differences";
    case NoiseSite::kFlatPatches:
      return "flat patches";
    case NoiseSite::kBackground:
      return "background";
  }
  RESEDA_INVARIANT(false);
}

double rician_variance_factor(double theta) {
  const double square = theta * theta;
  if (theta > 30.0) return 1.0 - 0.5 / square;  // the Bessel functions overflow; the next term is 1e-6
  const double bracket =
      (2 + square) * std::cyl_bessel_i(0.0, square / 4) + square * std::cyl_bessel_i(1.0, square / 4);
  return 2 + square - std::numbers::pi / 8 * std::exp(-square / 2) * bracket * bracket;
}

double rician_signal_ratio(double mean_over_std) {
  if (mean_over_std <= kRayleigh) return 0.0;
  double theta = mean_over_std;
  for (int pass = 0; pass < 200; ++pass) {
    const double next =
        std::sqrt(std::max(0.0, rician_variance_factor(theta) * (1 + mean_over_std * mean_over_std) - 2));
    if (std::abs(next - theta) < 1e-10 * theta) return next;
    theta = next;
  }
  return theta;
}

NoiseLevel gaussian_noise_level(const at::Tensor& image, const at::Tensor& region) {
  const PatchPlan plan{.size = 16};
  return level_of(object_noise(checked_stack(image, plan.size, "gaussian_noise_level"), region, plan));
}

NoiseLevel rician_noise_level(const at::Tensor& magnitude, const at::Tensor& region) {
  const PatchPlan plan{.size = 8};
  const at::Tensor stack = checked_stack(magnitude, plan.size, "rician_noise_level");
  const PatchNoise noise = object_noise(stack, region, plan);
  const NoiseLevel object = without_rician(level_of(noise), noise);
  const std::optional<NoiseLevel> background = background_level(stack, plan.size);
  const bool agree =
      background &&
      (object.patches == 0 || (background->sigma >= 0.5 * object.sigma && background->sigma <= 1.25 * object.sigma));
  return agree ? *background : object;
}

}  // namespace reseda::metrics
