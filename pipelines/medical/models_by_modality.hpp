#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <map>
#include <string>

#include "modules/core/device.hpp"
#include "pipelines/medical/medical_model.hpp"
#include "pipelines/medical/modality.hpp"

namespace reseda::medical {

/// A model in use.
struct OpenedModel {
  MedicalModel model;
  std::filesystem::path file;
  std::string sha256;
};

/// The models of a run, each loaded when a volume first needs it. Without a model given by name, denoising takes
/// medical-denoise-ct for CT and PET, medical-denoise-mr for MR, super-resolution medical-sr, and a prior is
/// medical-prior.
class ModelsByModality {
 public:
  enum class Use { kDenoise, kEnlarge, kPrior };

  /// @param given  a shipped model by name or a file; empty: by modality
  ModelsByModality(std::string given, Use use, c10::Device device, Precision precision);

  /// Where the model of a modality is. @throws Error{kCheckpoint}
  std::filesystem::path file(Modality modality) const;
  /// @throws Error{kCheckpoint} if it is absent, damaged or made for another task
  const OpenedModel& of(Modality modality);
  /// SHA-256 of all the files that could be used; of those that are there.
  std::string sha256() const;

 private:
  std::string given_;
  Use use_;
  c10::Device device_;
  Precision precision_;
  std::map<std::filesystem::path, OpenedModel> opened_;
};

}  // namespace reseda::medical
