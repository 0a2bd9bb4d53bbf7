#pragma once

#include <filesystem>
#include <string>

#include "pipelines/medical/volume_task.hpp"
#include "pipelines/restoration/restoration_model.hpp"

namespace reseda::medical {

/// A restoration model with what it restores.
struct MedicalModel {
  restoration::RestorationModel restoration;
  VolumeTaskConfig task;

  /// @throws Error{kCheckpoint} if the file is absent, is no restoration model of medical slices, or does not fit
  static MedicalModel load(const std::filesystem::path& file);

  /// An unconditional prior of slices; its task has the intensities of configs/medical/prior.yaml and nothing else.
  /// @throws Error{kCheckpoint} also if it is a restoration model
  static MedicalModel load_prior(const std::filesystem::path& file);
};

}  // namespace reseda::medical
