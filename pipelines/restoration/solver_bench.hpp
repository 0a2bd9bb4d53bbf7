#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "modules/core/config_node.hpp"
#include "modules/core/progress.hpp"
#include "pipelines/restoration/image_set.hpp"
#include "pipelines/restoration/restoration_model.hpp"

namespace reseda::restoration {

/// A sampler under the name it has in the table.
struct NamedSampler {
  std::string name;
  ConfigNode config;
  bool official = false;  ///< of the process's own code: keeps the noise of before the clip
};

/// Every sampler that runs on the model's process with exactly this many network calls: the process's own first.
std::vector<NamedSampler> samplers_for(const RestorationModel& model, std::int64_t calls);

/// Quality of one sampler at one number of calls, a mean over images.
struct SolverScore {
  std::string model, solver;
  std::int64_t calls = 0;
  double psnr = 0;             ///< dB
  double psnr_half_width = 0;  ///< of the 95 % confidence interval of the mean over images
  double ssim = 0;
  double seconds = 0;  ///< per image
};

/// Degrades the images as the model's config says (noise named by the image), restores them with every sampler at every
/// number of calls, and scores the results, rounded and clipped to the file's range. The row "input" (0 calls) is the
/// degraded image itself. Images are scored one by one.
/// @throws Error{kInterrupted} when progress says so
std::vector<SolverScore> bench_solvers(const RestorationModel& model, const ImageSet& images,
                                       const std::vector<std::int64_t>& calls, std::uint64_t seed,
                                       const ProgressSink& progress);

/// The rows as CSV, and PSNR over the number of calls as one SVG plot per model, without points below the input's PSNR.
std::string solver_csv(const std::vector<SolverScore>& scores);
std::string solver_plot(const std::vector<SolverScore>& scores, const std::string& model);

}  // namespace reseda::restoration
