#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>

#include "io/kspace/kspace.hpp"
#include "pipelines/common/batch_runner.hpp"
#include "pipelines/medical/kspace_reconstruction.hpp"
#include "pipelines/medical/reconstruction_output.hpp"

namespace reseda::medical {

/// What every file of k-space in a run shares.
struct KspaceRun {
  KspaceConfig config;
  const PriorDenoiser* prior = nullptr;  ///< may be null
  NoiseSource* noise = nullptr;
  std::filesystem::path mask;  ///< empty: where samples are not 0
  FurtherOutputs outputs;
  std::string provenance;
};

/// One file of k-space through the reconstruction, slice by slice.
class KspaceJob final : public app::ItemJob {
 public:
  /// Reads the input. @throws Error{kInput}
  KspaceJob(const KspaceRun& run, const app::BatchItem& item);
  void compute(app::ItemContext& context) override;
  void save() override;
  ConfigNode facts() const override;

 private:
  const KspaceRun& run_;
  app::BatchItem item_;
  io::Kspace kspace_;
  io::Volume volume_;
  at::Tensor prediction_;  ///< [slices,coils,H,W], where it is asked for
  double noise_ = 0, misfit_ = 0;
  std::int64_t calibration_ = 0;
};

}  // namespace reseda::medical
