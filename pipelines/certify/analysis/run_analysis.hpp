#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "modules/stats/certified_accuracy.hpp"
#include "pipelines/certify/analysis/certified_run.hpp"

namespace reseda::certify {

struct AnalysisConfig {
  std::vector<double> radii = {0, 0.25, 0.5, 0.75, 1.0};  ///< of the tables
  double step = 0.01;                                     ///< between the radii of the curves
  double alpha = 0.001;                                   ///< of logs, which do not say theirs
  double rho = 0.05;                                      ///< probability that a band does not hold
  /// @throws Error{kUsage}
  void validate() const;
};

/// The certified accuracy at one radius.
struct CurvePoint {
  double radius;
  double accuracy;        ///< share of the images
  stats::Interval band;   ///< accuracy_band: of the population, all radii at once
  double with_high_prob;  ///< high_probability_accuracy of these images, although certificates may be wrong
};

struct RunAnalysis {
  std::string name;
  std::int64_t images = 0, abstained = 0, wrong = 0;
  double alpha = 0.001;  ///< of each certificate
  std::vector<CurvePoint> curve, at_radii;
  double average_radius = 0;
  std::optional<stats::Interval> radius_interval;  ///< where the settings say how far certificates can reach
  double largest_radius = 0;                       ///< of an image that is correct
  double seconds = 0;                              ///< mean of an image
};

/// How the images of a run fare at one radius beside those of the first run.
struct RadiusComparison {
  double radius;
  std::int64_t gained = 0, lost = 0;  ///< certified by this run alone, by the first alone
  double p_value = 1;                 ///< of so uneven a split if both were equally good (exact sign test)
};
struct RunComparison {
  std::int64_t shared = 0;                 ///< images that both have; 0 where their labels differ: other data
  std::vector<RadiusComparison> at_radii;  ///< of those
};

struct Analysis {
  AnalysisConfig config;
  std::vector<CertifiedRun> runs;
  std::vector<RunAnalysis> results;        ///< of each run
  std::vector<RunComparison> comparisons;  ///< of the second and later runs with the first
  std::vector<std::size_t> best;           ///< at each radius of the tables: the run of the highest accuracy
};

/// @throws Error{kUsage}
Analysis analyse(std::vector<CertifiedRun> runs, const AnalysisConfig& config);

/// Whether a run certifies more than every other at one of the radii of the tables, the first on a tie; never the only
/// run, and never where nothing is certified.
bool is_best(const Analysis& analysis, std::size_t run, std::size_t radius);

}  // namespace reseda::certify
