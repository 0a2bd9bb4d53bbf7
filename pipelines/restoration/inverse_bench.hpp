#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "modules/core/progress.hpp"
#include "modules/inverse/uncertainty.hpp"
#include "pipelines/restoration/restoration_model.hpp"

namespace reseda::restoration {

struct InverseBenchConfig {
  std::int64_t steps = 50;  ///< network calls of a solver
  double sigma = 0.025;     ///< deviation of the measurement's noise, as a share of the range from black to white
  std::vector<std::string> operators = {};  ///< names to run; empty: every one
  /// "NAME" or "NAME:KEY=VALUE,KEY=VALUE" with options of the solver; empty: every solver with its defaults
  std::vector<std::string> solvers = {};
  std::uint64_t seed = 0;
};

/// How one solver did on one operator; means over the images.
struct InverseScore {
  std::string operation, solver;
  double psnr = 0;             ///< dB, against the image in [-1, 1]
  double psnr_half_width = 0;  ///< of the 95 % confidence interval of the mean over images
  double ssim = 0;
  double residual = 0;       ///< root mean square of y - H(x), in units of sigma
  double seconds = 0;        ///< per image
  at::Tensor estimate = {};  ///< [C,H,W] in [-1, 1], of the first image; undefined where an image has no result
  std::string problem = {};  ///< why there is no result; empty where there is one
  bool diverged = false;     ///< whether that is the solver's divergence, with the trace of its residuals
};

/// Measures every image with every operator, adds noise, and estimates it from each measurement with every solver that
/// looks at one. The row "first guess" is H^+ y. A solver that does not fit the operator, or diverges on an image, is a
/// row with its message. Image k has the draws of seed + k.
/// @param images  [C,H,W] in [-1, 1], at least one
/// @throws Error{kUsage} on unknown names and options, Error{kInterrupted} when progress says so
std::vector<InverseScore> bench_inverse(const RestorationModel& prior, const std::vector<at::Tensor>& images,
                                        const InverseBenchConfig& config, const ProgressSink& progress);

std::string inverse_csv(const std::vector<InverseScore>& scores);

/// What K runs of one solver say about one measurement.
struct PosteriorReport {
  at::Tensor mean, deviation;  ///< [C,H,W], in units of the image in [-1, 1]
  inverse::Calibration calibration;
  double psnr_of_mean = 0;
  double correlation = 0;  ///< of the deviation with the mean's absolute error, over all values
};

/// Runs the configured one operator and one solver `count` times with draws of their own.
/// @throws Error{kUsage} unless the config names one operator and one solver, and what they throw
PosteriorReport bench_posterior(const RestorationModel& prior, const at::Tensor& image,
                                const InverseBenchConfig& config, std::int64_t count);

/// Observed against nominal coverage, as CSV and as an SVG plot.
std::string calibration_csv(const inverse::Calibration& calibration);
std::string calibration_plot(const inverse::Calibration& calibration, const std::string& title);

}  // namespace reseda::restoration
