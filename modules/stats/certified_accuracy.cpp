#include "modules/stats/certified_accuracy.hpp"

#include <algorithm>
#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::stats {
namespace {

double counted_radius(const CertifiedImage& image) { return image.correct ? image.radius : 0.0; }

void require_images(std::span<const CertifiedImage> images, std::size_t least) {
  RESEDA_REQUIRE(images.size() >= least, Errc::kInput, "certified accuracy needs at least ", least, " images, got ",
                 images.size());
}

void require_risk(double rho) { RESEDA_REQUIRE(rho > 0 && rho < 1, Errc::kUsage, "rho must be in (0, 1), got ", rho); }

}  // namespace

double certified_accuracy(std::span<const CertifiedImage> images, double radius) {
  require_images(images, 1);
  const auto certified = std::count_if(images.begin(), images.end(), [radius](const CertifiedImage& image) {
    return image.correct && image.radius >= radius;
  });
  return static_cast<double>(certified) / static_cast<double>(images.size());
}

double high_probability_accuracy(double accuracy, std::int64_t images, double alpha, double rho) {
  RESEDA_REQUIRE(images >= 1, Errc::kInput, "certified accuracy of no image");
  require_risk(rho);
  const auto count = static_cast<double>(images);
  const double risk = std::log(1 / rho);
  return accuracy - alpha - std::sqrt(alpha * (1 - alpha) * risk / count) - risk / (3 * count);
}

Interval accuracy_band(double accuracy, std::int64_t images, double rho) {
  RESEDA_REQUIRE(images >= 1, Errc::kInput, "certified accuracy of no image");
  require_risk(rho);
  const double half = std::sqrt(std::log(2 / rho) / (2 * static_cast<double>(images)));
  return {std::max(0.0, accuracy - half), std::min(1.0, accuracy + half)};
}

double average_certified_radius(std::span<const CertifiedImage> images) {
  require_images(images, 1);
  double sum = 0;
  for (const CertifiedImage& image : images) sum += counted_radius(image);
  return sum / static_cast<double>(images.size());
}

Interval average_radius_interval(std::span<const CertifiedImage> images, double largest, double rho) {
  require_images(images, 2);
  require_risk(rho);
  const auto count = static_cast<double>(images.size());
  const double mean = average_certified_radius(images);
  double squares = 0;
  for (const CertifiedImage& image : images) {
    RESEDA_REQUIRE(image.radius <= largest, Errc::kInput, "radius ", image.radius, " above the largest, ", largest);
    squares += std::pow(counted_radius(image) - mean, 2);
  }
  const double risk = std::log(4 / rho);
  const double half = std::sqrt(2 * squares / (count - 1) * risk / count) + 7 * largest * risk / (3 * (count - 1));
  return {std::max(0.0, mean - half), std::min(largest, mean + half)};
}

std::vector<double> radius_grid(double start, double stop, double step) {
  const double count = std::ceil((stop + step - start) / step);
  RESEDA_REQUIRE(step > 0 && count >= 1 && count <= 1e6, Errc::kUsage, "radii from ", start, " to ", stop,
                 " need a step > 0 and at most a million values, got a step of ", step);
  std::vector<double> radii;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(count); ++i)
    radii.push_back(start + static_cast<double>(i) * step);
  return radii;
}

std::vector<std::size_t> best_sigma(std::span<const std::vector<double>> accuracies) {
  RESEDA_REQUIRE(!accuracies.empty(), Errc::kInternal, "accuracies of no sigma");
  std::vector<std::size_t> best(accuracies[0].size(), 0);
  for (std::size_t sigma = 1; sigma < accuracies.size(); ++sigma)
    for (std::size_t i = 0; i < best.size(); ++i)
      if (accuracies[sigma].at(i) > accuracies[best[i]].at(i)) best[i] = sigma;
  return best;
}

}  // namespace reseda::stats
