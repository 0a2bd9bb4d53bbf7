#include "pipelines/certify/analysis/run_analysis.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "modules/core/error.hpp"
#include "modules/stats/binomial.hpp"

namespace reseda::certify {
namespace {

constexpr double kCertificateRho = 0.001;  // as the official analysis

std::vector<CurvePoint> curve_of(const std::vector<stats::CertifiedImage>& images, const std::vector<double>& radii,
                                 double alpha, double rho) {
  const auto count = static_cast<std::int64_t>(images.size());
  std::vector<CurvePoint> curve;
  for (const double radius : radii) {
    const double accuracy = stats::certified_accuracy(images, radius);
    curve.push_back({radius, accuracy, stats::accuracy_band(accuracy, count, rho),
                     std::max(0.0, stats::high_probability_accuracy(accuracy, count, alpha, kCertificateRho))});
  }
  return curve;
}

double largest_radius(const CertifiedRun& run) {
  double largest = 0;
  for (const CohenRow& row : run.rows)
    if (row.correct()) largest = std::max(largest, row.radius.value_or(0.0));
  return largest;
}

RunAnalysis analyse_run(const CertifiedRun& run, const AnalysisConfig& config, const std::vector<double>& radii) {
  const std::vector<stats::CertifiedImage> images = run.images();
  RunAnalysis out;
  out.name = run.name;
  out.images = static_cast<std::int64_t>(images.size());
  out.alpha = run.settings ? run.settings->alpha : config.alpha;
  for (const CohenRow& row : run.rows) {
    if (row.predicted == stats::kAbstain)
      ++out.abstained;
    else if (!row.correct())
      ++out.wrong;
    out.seconds += row.seconds / static_cast<double>(images.size());
  }
  out.curve = curve_of(images, radii, out.alpha, config.rho);
  out.at_radii = curve_of(images, config.radii, out.alpha, config.rho);
  out.average_radius = stats::average_certified_radius(images);
  out.largest_radius = largest_radius(run);
  if (run.settings && images.size() >= 2) {
    const double reach = stats::largest_radius(run.settings->sigma, run.settings->n, run.settings->alpha);
    out.radius_interval = stats::average_radius_interval(images, reach, config.rho);
  }
  return out;
}

RunComparison compare(const CertifiedRun& run, const CertifiedRun& first, const std::vector<double>& radii) {
  std::map<std::int64_t, const CohenRow*> by_index;
  for (const CohenRow& row : first.rows) by_index.emplace(row.index, &row);
  const auto certified = [](const CohenRow& row, double radius) {
    return row.correct() && row.radius.value_or(0.0) >= radius;
  };
  RunComparison out;
  for (const double radius : radii) out.at_radii.push_back({.radius = radius});
  for (const CohenRow& row : run.rows) {
    const auto found = by_index.find(row.index);
    if (found == by_index.end()) continue;
    if (found->second->label != row.label) return {};
    ++out.shared;
    for (RadiusComparison& at : out.at_radii) {
      const bool here = certified(row, at.radius), there = certified(*found->second, at.radius);
      at.gained += here && !there;
      at.lost += there && !here;
    }
  }
  for (RadiusComparison& at : out.at_radii)
    if (at.gained + at.lost > 0) at.p_value = stats::even_split_p_value(at.gained, at.lost);
  return out;
}

}  // namespace

void AnalysisConfig::validate() const {
  RESEDA_REQUIRE(!radii.empty() && std::is_sorted(radii.begin(), radii.end()) &&
                     std::all_of(radii.begin(), radii.end(), [](double r) { return std::isfinite(r) && r >= 0; }),
                 Errc::kUsage, "--radii must be numbers of 0 or more that grow");
  RESEDA_REQUIRE(step > 0 && std::isfinite(step), Errc::kUsage, "--step must be positive, got ", step);
  RESEDA_REQUIRE(alpha > 0 && alpha < 1, Errc::kUsage, "--alpha must be in (0, 1), got ", alpha);
  RESEDA_REQUIRE(rho > 0 && rho < 1, Errc::kUsage, "--rho must be in (0, 1), got ", rho);
}

Analysis analyse(std::vector<CertifiedRun> runs, const AnalysisConfig& config) {
  config.validate();
  double most = 0;
  for (const CertifiedRun& run : runs) most = std::max(most, largest_radius(run));
  const std::vector<double> radii = stats::radius_grid(0, most, config.step);
  Analysis out;
  out.config = config;
  std::vector<std::vector<double>> accuracies;
  for (const CertifiedRun& run : runs) {
    out.results.push_back(analyse_run(run, config, radii));
    if (out.results.size() > 1) out.comparisons.push_back(compare(run, runs.front(), config.radii));
    accuracies.emplace_back();
    for (const CurvePoint& point : out.results.back().at_radii) accuracies.back().push_back(point.accuracy);
  }
  out.best = stats::best_sigma(accuracies);
  out.runs = std::move(runs);
  return out;
}

bool is_best(const Analysis& analysis, std::size_t run, std::size_t radius) {
  return analysis.results.size() > 1 && analysis.best.at(radius) == run &&
         analysis.results[run].at_radii.at(radius).accuracy > 0;
}

}  // namespace reseda::certify
