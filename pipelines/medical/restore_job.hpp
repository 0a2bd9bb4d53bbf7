#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pipelines/common/batch_runner.hpp"
#include "pipelines/medical/restoration.hpp"

namespace reseda::medical {

/// One volume through a model: a derived series of DICOM, or a file of the input's kind, in the same place and units.
class RestoreJob final : public app::ItemJob {
 public:
  RestoreJob(const Scan& scan, const RestoreRequest& request, ModelsByModality& models, const app::BatchItem& item);
  /// Reads, restores.
  void compute(app::ItemContext& context) override;
  void save() override;
  std::vector<std::filesystem::path> companions() const override;
  ConfigNode facts() const override;

 private:
  void describe(const OpenedModel& model);
  void save_series();
  void save_file();
  void save_companions();
  /// A volume on the input's grid, beside the restored one.
  struct Companion {
    std::filesystem::path place;  ///< a file, or a folder, which ends in '/'
    std::string what;             ///< for the file's own words
    std::string type;             ///< fourth value of DICOM's ImageType, in its own terms (PS3.3 section C.8.16.1.4)
    io::DicomCode code;
    int number;  ///< added to SeriesNumber
  };
  void save_volume(const Companion& companion, const at::Tensor& voxels);

  const Scan& scan_;
  const RestoreRequest& request_;
  ModelsByModality& models_;
  app::BatchItem item_;
  std::filesystem::path difference_, deviation_, report_;  ///< empty: not asked for
  OpenedScan before_;
  Restoration after_;
  std::vector<std::pair<std::string, std::string>> words_;  ///< how it was made, for the page
  std::string description_, page_;
  std::map<std::string, int> stripped_;
  std::int64_t clipped_ = 0;
  double seconds_ = 0;
};

}  // namespace reseda::medical
