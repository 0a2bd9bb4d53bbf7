#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "modules/core/noise.hpp"
#include "modules/core/progress.hpp"
#include "modules/inverse/forward_operator.hpp"
#include "pipelines/medical/medical_model.hpp"
#include "pipelines/medical/reported_steps.hpp"

namespace reseda::medical {

/// How RED-diff asks a prior of slices; lengths are in standard deviations of the noise, so that one setting fits all.
struct PriorRestorerConfig {
  std::int64_t steps = 15;
  double least_noise = 1.0, most_noise = 2.0;
  double lr = 0.1;
  double obs_weight = 0.5;
  double grad_term_weight = 1.0;
  template <class V>
  void fields(V& v) {
    v("steps", steps, "network calls for each slice");
    v("least_noise", least_noise,
      "weakest noise that is added before a call, in standard deviations of the measurement's noise");
    v("most_noise", most_noise, "strongest, in the same unit; more where the prior's times are too few for the steps");
    v("lr", lr, "learning rate of Adam, in the same unit; it falls to 0 by a cosine");
    v("obs_weight", obs_weight, "weight of the distance from the measurement");
    v("grad_term_weight", grad_term_weight, "weight of the prior");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Restores volumes slice by slice with an unconditional prior by RED-diff (inverse::run_red_diff); the network sees
/// whole slices, and no neighbours. With s the standard deviation of the noise in the prior's range [-1, 1],
///   y = H x + noise,   learning rate = lr s,    times with c_t / a_t from least_noise s to most_noise s
/// H is the identity, the mean of 2 x 2 pixels, or the mean of two slices. Rician noise is taken for Gaussian. Numbers
/// as in IntensityRange; what lies outside the range that the prior was trained on passes: out = in + (x - clamp(in)).
/// Draws: those of RED-diff under "item, slice k", "item, plane k across h" and "item, plane k across w", k from 0.
class PriorRestorer {
 public:
  /// @param prior  valid as long as this is; its network is on the device of the work
  /// @throws Error{kUsage} where the model is not an unconditional prior with a table of times, or settings do not fit
  PriorRestorer(const MedicalModel& prior, const PriorRestorerConfig& config);

  /// As VolumeRestorer's.
  at::Tensor denoise(const at::Tensor& numbers, double sigma, NoiseSource& noise, const std::string& item,
                     const ProgressSink& progress, const std::function<bool(std::int64_t)>& wanted = {}) const;
  at::Tensor enlarge_in_plane(const at::Tensor& numbers, NoiseSource& noise, const std::string& item,
                              const ProgressSink& progress) const;
  at::Tensor enlarge_through_plane(const at::Tensor& numbers, NoiseSource& noise, const std::string& item,
                                   const ProgressSink& progress) const;

 private:
  /// @param y, start  [1,1,h,w] and [1,1,H,W], numbers  @return [1,1,H,W]
  at::Tensor solve(const at::Tensor& y, const at::Tensor& start, const inverse::ForwardOperator& op, double sigma,
                   NoiseSource& noise, const std::string& item, ReportedSteps& steps) const;
  /// The planes across an axis (1 or 2) with twice the slices, added to `sum`.
  void add_planes(const at::Tensor& numbers, std::int64_t axis, NoiseSource& noise, const std::string& item,
                  ReportedSteps& steps, at::Tensor& sum) const;

  const MedicalModel& prior_;
  PriorRestorerConfig config_;
  std::unique_ptr<diffusion::Denoiser> denoiser_;
};

}  // namespace reseda::medical
