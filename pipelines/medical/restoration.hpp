#pragma once

#include <string>

#include "modules/core/progress.hpp"
#include "pipelines/medical/models_by_modality.hpp"
#include "pipelines/medical/opened_scan.hpp"

namespace reseda::medical {

/// A restored volume.
struct Restoration {
  at::Tensor voxels;          ///< [D',H',W'] float32 in units of the volume; padding and what lies outside the mask as
                              ///< they were
  at::Tensor deviation;       ///< [D,H,W] standard deviation, where the request asks for it
  metrics::NoiseLevel noise;  ///< in units of the volume
  bool measured = false;      ///< the noise, not given
  IntensityRange range;       ///< of the numbers that the model saw
};

/// Restores a volume by the request's task.
/// The deviation is that of K restorations of volumes with the noise thrown anew,
///   y_k = x + s_k T_k (y - x),
/// x the restoration and y the input: T_k moves what was taken away by 8 to 32 pixels along both axes of each slice,
/// and s_k = +-1, so that noise keeps its spectrum and about its strength. (A bootstrap of residuals: Efron and
/// Tibshirani 1993, "An Introduction to the Bootstrap", sec. 9.4; moving them is our choice.) It tells how much noise
/// moves the result, not how far that is from the truth. Draws: the sampler's under the item; "item, sample k": the
/// sampler's, and "bootstrap".
/// @throws Error{kInput}, Error{kInterrupted}, Error{kNumeric}
Restoration restore_volume(const OpenedScan& scan, const OpenedModel& model, const RestoreRequest& request,
                           const std::string& item, const ProgressSink& progress);

/// Four digits: what a noise level is worth.
std::string short_number(double value);

}  // namespace reseda::medical
