#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace reseda::stats {

/// One image of a test set: whether g's class is its label, and the certified radius.
struct CertifiedImage {
  bool correct = false;  ///< false where it abstains
  double radius = 0;
};

struct Interval {
  double low, high;
};

/// The share of images that are classified correctly with a radius of `radius` or more; of all, abstentions included.
/// @throws Error{kInput} without images
double certified_accuracy(std::span<const CertifiedImage> images, double radius);

/// A certified accuracy as it holds with probability 1 - rho although each certificate may be wrong with probability
/// alpha, by Bernstein's inequality:
///   acc - alpha - sqrt(alpha (1 - alpha) ln(1 / rho) / N) - ln(1 / rho) / (3 N)
/// It needs certificates from independent noise, and may be below 0.
/// Official: locuslab/smoothing, code/analyze.py, HighProbAccuracy.
double high_probability_accuracy(double accuracy, std::int64_t images, double alpha, double rho);

/// Where the certified accuracy of the population lies for all radii at once, with probability 1 - rho over the choice
/// of images: accuracy +- sqrt(ln(2 / rho) / (2 N)), within [0, 1].
/// Source: Massart 1990, "The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality".
Interval accuracy_band(double accuracy, std::int64_t images, double rho);

/// The mean over all images of the certified radius, 0 where wrong or abstained. It weighs easy images heavily: beside
/// the curve, not in its place.
double average_certified_radius(std::span<const CertifiedImage> images);
/// Where the average of the population lies with probability 1 - rho over the choice of images: the mean +- the
/// empirical Bernstein term of each side, sqrt(2 V ln(4 / rho) / N) + 7 m ln(4 / rho) / (3 (N - 1)), for radii from 0
/// to m, within [0, m].
/// @param largest  m, the largest radius that can be certified   @throws Error{kInput} with fewer than two images
/// Source: Maurer & Pontil 2009, "Empirical Bernstein Bounds and Sample-Variance Penalization", theorem 4.
Interval average_radius_interval(std::span<const CertifiedImage> images, double largest, double rho);

/// start + i step for i = 0 .. ceil((stop + step - start) / step) - 1 in double precision, as numpy.arange(start, stop
/// + step, step): the radii of the official curves, where 0.35 is 0.35000000000000003.
std::vector<double> radius_grid(double start, double stop, double step);

/// Per radius the best of several sigmas, the first on a tie.
/// @param accuracies  [sigma][radius]   @return index of the sigma for each radius
std::vector<std::size_t> best_sigma(std::span<const std::vector<double>> accuracies);

}  // namespace reseda::stats
