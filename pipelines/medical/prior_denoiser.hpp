#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <filesystem>
#include <memory>
#include <string>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/solver.hpp"
#include "pipelines/restoration/restoration_model.hpp"

namespace reseda::medical {

/// How a diffusion prior of slices is asked.
struct PriorConfig {
  std::int64_t steps = 12;
  double sigma_first = 0.06, sigma_last = 0.015;
  double lambda = 1.0;
  std::int64_t views = 2;
  ConfigNode solver = {};
  template <class V>
  void fields(V& v) {
    v("steps", steps, "plug-and-play: steps");
    v("sigma_first", sigma_first, "plug-and-play: deviation of the noise that is taken out first; 1 is white");
    v("sigma_last", sigma_last, "plug-and-play: the same of the last step");
    v("lambda", lambda, "plug-and-play: weight of the prior");
    v("views", views, "plug-and-play: mirror images that the prior sees in each step, 1, 2 or 4, averaged");
    v("solver", solver,
      "red-diff: settings of the solver in place of {steps: 40, start_step: 400, lr: 0.005, obs_weight: 1000}");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// A denoiser for sides that are multiples of `unit`, for all others: the last row and column are repeated.
std::unique_ptr<diffusion::Denoiser> for_any_sides(std::unique_ptr<diffusion::Denoiser> inner, std::int64_t unit);

/// The time at which noise is to signal c_t / a_t = ratio, or the nearest one that the process has.
double time_of(const diffusion::Process& process, double ratio);

/// An unconditional prior of slices, black 0 and white 1, as a denoiser and as a prior of solvers.
class PriorDenoiser {
 public:
  static constexpr std::int64_t kSteps = 40;  ///< of red-diff, unless its settings say otherwise

  /// @throws Error{kCheckpoint} where the file is no unconditional prior of one channel with b = 0
  PriorDenoiser(const std::filesystem::path& file, c10::Device device);

  /// The mean of images given them with white noise of deviation sigma, x_0 of the prior at the time of that noise:
  ///   c_t / a_t = 2 sigma
  /// averaged over mirror images. @param x  [B,1,H,W] float32, any sides  @param views  1, 2 or 4
  at::Tensor denoise(const at::Tensor& x, double sigma, std::int64_t views) const;

  /// RED-diff's estimate for y = H x + noise, x with white at 1, with config.solver's settings.
  /// @param start  first guess, [B,1,H,W]
  at::Tensor regularise(const PriorConfig& config, const at::Tensor& y, const at::Tensor& start,
                        const inverse::ForwardOperator& op, double sigma_y, diffusion::SampleContext& context) const;

 private:
  restoration::RestorationModel model_;
  std::unique_ptr<diffusion::Denoiser> denoiser_;
};

}  // namespace reseda::medical
