#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::metrics {

/// Where a noise level was read off.
enum class NoiseSite {
  kSliceDifferences,  ///< differences of neighbouring slices in the flattest patches of the object
  kFlatPatches,       ///< the flattest patches of a single slice
  kBackground,        ///< air around the object, where the magnitude is noise alone
};

/// "slice differences", "flat patches", "background".
const char* noise_site_name(NoiseSite site);

/// Standard deviation of the noise in units of the image.
struct NoiseLevel {
  double sigma = 0.0;
  double low = 0.0,
         high = 0.0;         ///< 95 % interval of the median over patches; of its site's assumptions it says nothing
  std::int64_t patches = 0;  ///< that served; 0 if nothing in the image varies, and sigma is 0 then
  NoiseSite site = NoiseSite::kFlatPatches;
};

/// Noise of a CT slice or of any image with additive noise, which may be correlated over a few pixels.
///   stack:  d = (x[k+1] - x[k]) / sqrt(2), m = (x[k+1] + x[k]) / sqrt(2);  s^2 = var of d about a plane
///   slice:  s^2 = var of x about a quadratic surface
///   sigma^2 = median of s^2 over the flattest patches of the object / (1 - 2 / (9 nu))^3
/// Patches are 16 x 16 pixels, so that noise of wavelengths up to about 16 pixels is counted. Flat are, in a stack, the
/// quarter with the smallest variance of m, which is independent of d where noise is Gaussian and new in each slice; in
/// a slice, the tenth with the smallest energy in the linear and quadratic terms, which is independent of the rest for
/// white noise. nu: degrees of freedom; the factor turns the median of chi^2_nu into its mean (Wilson and Hilferty
/// 1931). The object is what lies above Otsu's threshold; where that leaves no patch, the whole image. Of a stack up to
/// 32 pairs of slices, evenly spread, are looked at.
/// The estimate is that of all the noise there is, an image's own included. It is too low where noise is correlated
/// between slices (overlapping slices, smoothing along z), too high where anatomy changes from slice to slice by more
/// than the noise. Of CT pass values no lower than -1024 HU: padding far below air would be taken for what the object
/// is separated from.
/// @param image   [H,W] or [D,H,W], real, H and W >= 16; computed in float64
/// @param region  bool of the same shape: the object, in place of Otsu's; undefined: unknown
/// @throws Error{kInput} on another shape, small slices, NaN or infinite values, or a region without a patch
/// Source: the difference of two images as in NEMA MS 1-2008 method 1; Otsu 1979, "A threshold selection method from
/// gray-level histograms". Patches and shares were chosen by us, on scans with noise added.
NoiseLevel gaussian_noise_level(const at::Tensor& image, const at::Tensor& region = {});

/// Noise of an MR magnitude image, y = |x + sigma (n1 + i n2)|: of each of the two channels, not of the magnitude.
///   background: the magnitude is Rayleigh, so sigma^2 = E[y^2] / 2 and mean / std = sqrt(pi / (4 - pi)) = 1.913
///   object:     sigma^2 = s^2 / xi(theta), s^2 as in gaussian_noise_level (patches of 8 x 8), theta from
///               mean / s by Koay's fixed point
/// The background serves if patches with that ratio agree about sigma: those within 20 % of the mode of
/// sqrt(mean y^2 / 2) are at least half of all with that ratio and no larger level, 50 or more and 1 % of the image,
/// and their median is 0.5 to 1.25 times the object's figure. Else background was set to zero, filtered or is not
/// there, and the object serves. Patches in which more than a quarter is exactly zero are passed over.
/// @param magnitude  [H,W] or [D,H,W], real, H and W >= 8
/// @param region     as above
/// @throws Error{kInput} as above
/// Source: Koay and Basser 2006, "Analytically exact correction scheme for signal extraction from noisy magnitude MR
/// signals"; background in the manner of Aja-Fernandez et al. 2009, "Noise estimation in single- and multiple-coil
/// magnetic resonance data based on statistical models"; half-sample mode: Bickel and Fruehwirth 2006.
NoiseLevel rician_noise_level(const at::Tensor& magnitude, const at::Tensor& region = {});

/// Variance of a Rician magnitude over sigma^2, at the ratio theta = signal / sigma:
///   xi(theta) = 2 + theta^2 - pi/8 e^{-theta^2/2} [(2 + theta^2) I0(theta^2/4) + theta^2 I1(theta^2/4)]^2
/// @return 2 - pi/2 at 0, towards 1 for large theta
double rician_variance_factor(double theta);

/// theta of a Rician magnitude with this mean over its standard deviation: the fixed point of
///   theta^2 = xi(theta) (1 + ratio^2) - 2;   0 where ratio <= 1.913, which only noise around nothing has.
double rician_signal_ratio(double mean_over_std);

}  // namespace reseda::metrics
