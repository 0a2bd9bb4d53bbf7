#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "pipelines/common/batch_runner.hpp"
#include "pipelines/medical/reconstruction_output.hpp"
#include "pipelines/medical/sinogram_reconstruction.hpp"

namespace reseda::medical {

/// What every sinogram in a run shares.
struct SinogramRun {
  SinogramConfig config;
  const PriorDenoiser* prior = nullptr;  ///< may be null
  NoiseSource* noise = nullptr;
  std::string dataset = "sinogram";  ///< of an HDF5 file
  FurtherOutputs outputs;            ///< without prediction
  std::string provenance;
};

/// [slices,views,detectors] float32 of .npy, HDF5, or a volume file whose rows are views.
/// @throws Error{kInput}
at::Tensor read_sinogram(const std::filesystem::path& file, const std::string& dataset);

/// Angles in degrees: START:STEP for `views` views, or a file with one number a line or an array of NumPy.
/// @throws Error{kUsage} for a text that is neither, Error{kInput} for a file that is not as said
std::vector<double> view_angles(const std::string& text, std::int64_t views);

/// One sinogram through the reconstruction, slice by slice.
class SinogramJob final : public app::ItemJob {
 public:
  /// Reads the input. @param angles  as for view_angles(); "": as the config has it  @throws Error{kInput}
  SinogramJob(const SinogramRun& run, const app::BatchItem& item, const std::string& angles);
  void compute(app::ItemContext& context) override;
  void save() override;
  ConfigNode facts() const override;

 private:
  const SinogramRun& run_;
  app::BatchItem item_;
  SinogramConfig config_;
  at::Tensor sinograms_;
  io::Volume volume_;
  double noise_ = 0, misfit_ = 0;
};

}  // namespace reseda::medical
