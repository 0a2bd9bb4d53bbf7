#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <optional>
#include <string>

#include "io/volume/derived_series.hpp"
#include "io/volume/volume.hpp"
#include "pipelines/common/batch_runner.hpp"
#include "pipelines/medical/models_by_modality.hpp"
#include "pipelines/medical/scans.hpp"
#include "pipelines/medical/volume_restorer.hpp"

namespace reseda::medical {

/// What is done to every volume of a run.
struct RestoreRequest {
  std::string task = "denoise";  ///< denoise, sr-inplane, sr-through
  std::optional<Modality> modality;
  std::optional<double> sigma;  ///< of the noise, in units of the volume
  VolumeRestorerConfig restorer;
  std::uint64_t seed = 0;
  io::Derivation derivation;  ///< without description and identity
  std::string version;        ///< of the program

  bool enlarges() const { return task != "denoise"; }
};

/// A volume as it was read.
struct OpenedScan {
  io::Volume volume;
  Modality modality = Modality::kMr;
  bool guessed = false;  ///< the modality, from the values
};

/// Reads a scan. In-plane tasks take stacks that are tilted, uneven or lack slices as they are, with a warning.
/// @throws Error{kInput}
OpenedScan open_scan(const Scan& scan, const RestoreRequest& request);

/// One volume through a model: a derived series of DICOM, or a file of the input's kind, with the same geometry, type
/// and units.
class RestoreJob final : public app::ItemJob {
 public:
  RestoreJob(const Scan& scan, const RestoreRequest& request, ModelsByModality& models, const app::BatchItem& item);
  void compute(app::ItemContext& context) override;
  void save() override;
  ConfigNode facts() const override;

 private:
  double noise_level(const OpenedScan& scan);

  const Scan& scan_;
  const RestoreRequest& request_;
  ModelsByModality& models_;
  app::BatchItem item_;
  OpenedScan opened_;
  at::Tensor restored_;  ///< [D,H,W] in units of the volume
  metrics::NoiseLevel noise_;
  IntensityRange range_;
  std::string description_;
  std::int64_t clipped_ = 0;
  double seconds_ = 0;
};

}  // namespace reseda::medical
