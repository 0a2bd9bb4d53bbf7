#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "modules/core/noise.hpp"
#include "modules/core/progress.hpp"
#include "modules/diffusion/sampler.hpp"
#include "modules/diffusion/tiled_denoiser.hpp"
#include "pipelines/medical/medical_model.hpp"

namespace reseda::medical {

struct VolumeRestorerConfig {
  ConfigNode sampler = {};  ///< in place of the model's own
  std::int64_t turns = 2;   ///< the mean of restorations of the slice turned and mirrored in 1 to 8 ways
  diffusion::Tiling tiling = {};
  std::int64_t at_once = 1;  ///< groups of slices that are restored at the same time, at most one a thread
};

/// Restores volumes slice by slice; the network sees each slice with its neighbours, by tiles. Numbers as in
/// IntensityRange. On a CPU groups of slices are restored at the same time, each on one thread (parallel_items), so
/// that voxels do not depend on the number of threads. All slices of a run share one field of the sampler's noise, so
/// that it does not flicker from slice to slice. What lies outside the range that the model was trained on passes: out
/// = in + (x0 - clamp(in)). Draws: those of the sampler under the item.
class VolumeRestorer {
 public:
  /// @param model  valid as long as this is; its network is on the device of the volumes
  /// @throws Error{kUsage} where the sampler or the tiles do not fit
  VolumeRestorer(const MedicalModel& model, VolumeRestorerConfig config);

  /// @param numbers  [D,H,W] float32 on the CPU  @param sigma  of the noise, numbers
  /// @param wanted   slices to restore; empty: all; the others are returned as they are
  /// @return         [D,H,W]
  /// @throws Error{kInterrupted} when progress says so, Error{kNumeric} where the network's output is not finite
  at::Tensor denoise(const at::Tensor& numbers, double sigma, NoiseSource& noise, const std::string& item,
                     const ProgressSink& progress, const std::function<bool(std::int64_t)>& wanted = {}) const;

  /// Twice the pixels along h and w. Means of 2 x 2 pixels of the result equal the input.
  /// @return  [D,2H,2W]
  at::Tensor enlarge_in_plane(const at::Tensor& numbers, NoiseSource& noise, const std::string& item,
                              const ProgressSink& progress) const;

  /// Twice the slices: the mean of two restorations, of the planes across h and across w. Means of pairs of slices of
  /// the result equal the input.
  /// @return  [2D,H,W]
  at::Tensor enlarge_through_plane(const at::Tensor& numbers, NoiseSource& noise, const std::string& item,
                                   const ProgressSink& progress) const;

 private:
  /// @param wanted  which slices across the axis; the others pass
  at::Tensor restore(const at::Tensor& numbers, std::int64_t axis, double sigma, NoiseSource& noise,
                     const std::string& item, const ProgressSink& progress,
                     const std::function<bool(std::int64_t)>& wanted) const;

  const MedicalModel& model_;
  VolumeRestorerConfig config_;
  std::unique_ptr<diffusion::Denoiser> network_;
  std::unique_ptr<diffusion::Sampler> sampler_;
};

}  // namespace reseda::medical
