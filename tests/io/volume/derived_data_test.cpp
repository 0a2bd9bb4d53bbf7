#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "io/volume/derived_series.hpp"
#include "io/volume/dicom_file.hpp"
#include "io/volume/dicom_tags.hpp"
#include "tests/support/process.hpp"
#include "tests/support/shared_data.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

namespace fs = std::filesystem;
namespace tags = io::detail::tags;
using io::DicomListing;
using io::DicomSeries;
using io::Irregular;
using io::Volume;

const std::set<Irregular> kAll = {Irregular::kMissing, Irregular::kUneven, Irregular::kTilt, Irregular::kUnpositioned};

/// Folders of whole series, and files that are read alone.
std::vector<fs::path> samples(const fs::path& data) {
  std::vector<fs::path> all;
  for (const char* folder : {"ct_chest", "ct_head_tilt", "mr_t1_signed", "mr_pd_oblique", "pt_wholebody"})
    all.push_back(data / folder);
  for (const char* folder : {"enhanced_multiframe", "transfer_syntaxes", "monochrome1"})
    for (const auto& entry : fs::directory_iterator(data / folder)) all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  return all;
}

class DerivedData : public testing::Test {
 protected:
  void SetUp() override {
    data_ = shared_data("medical/dicom");
    if (data_.empty()) GTEST_SKIP() << "the DICOM scans are not here (RESEDA_DATA_DIR)";
  }
  io::DerivedSeries derive(const DicomSeries& series, const at::Tensor& voxels) {
    return io::write_derived_series(folder_ / std::to_string(count_++), series, voxels,
                                    {.description = "identity", .software_version = "test"});
  }
  fs::path data_;
  TemporaryFolder folder_;
  int count_ = 0;
};

/// What DICOM says in texts must stay as it is, digit by digit.
void expect_same_texts(const io::detail::DicomDataset& before, const io::detail::DicomDataset& after) {
  for (const io::detail::DicomTag tag :
       {tags::kImagePositionPatient, tags::kImageOrientationPatient, tags::kPixelSpacing, tags::kRescaleSlope,
        tags::kRescaleIntercept, tags::kStudyInstanceUid, tags::kSopClassUid, tags::kInstanceNumber,
        tags::kPhotometricInterpretation, 0x00100010U, 0x00200052U, 0x00281050U, 0x00281051U, 0x00181120U}) {
    ASSERT_EQ(before.has(tag), after.has(tag));
    if (before.has(tag)) {
      EXPECT_EQ(before.find(tag)->value, after.find(tag)->value);
    }
  }
}

TEST_F(DerivedData, UnchangedVoxelsComeBackFromEverySample) {
  int series_count = 0;
  for (const fs::path& sample : samples(data_)) {
    SCOPED_TRACE(sample.lexically_relative(data_).string());
    const DicomListing listing = io::find_series(sample);
    ASSERT_TRUE(listing.unreadable.empty());
    for (const DicomSeries& series : listing.series) {
      const Volume volume = io::read_series(series, {.accept = kAll});
      const io::DerivedSeries derived = derive(series, volume.voxels);
      EXPECT_EQ(derived.clamped, 0);
      const DicomListing again = io::find_series(derived.files[0].parent_path());
      ASSERT_EQ(again.series.size(), 1u);
      const DicomSeries& back = again.series[0];
      EXPECT_EQ(back.series_uid, derived.series_uid);
      EXPECT_EQ(back.study_uid, series.study_uid);
      EXPECT_EQ(back.problems.size(), series.problems.size());
      EXPECT_EQ(back.geometry.spacing_mm, series.geometry.spacing_mm);
      EXPECT_EQ(back.geometry.origin_mm, series.geometry.origin_mm);
      EXPECT_EQ(back.geometry.direction, series.geometry.direction);
      for (std::size_t k = 0; k < series.slices.size(); ++k)
        EXPECT_EQ(back.slices[k].position_mm, series.slices[k].position_mm);
      const Volume reread = io::read_series(back, {.accept = kAll});
      EXPECT_TRUE(at::equal(reread.voxels, volume.voxels));
      EXPECT_EQ(reread.padding.defined(), volume.padding.defined());
      if (volume.padding.defined()) {
        EXPECT_TRUE(at::equal(reread.padding, volume.padding));
      }
      expect_same_texts(io::detail::open_dicom(series.slices[0].file).dataset,
                        io::detail::open_dicom(back.slices[0].file).dataset);
      ++series_count;
    }
  }
  EXPECT_EQ(series_count, 50);
}

/// dciodvfy of dicom3tools, or nothing.
fs::path validator() {
  std::istringstream folders(std::getenv("PATH") == nullptr ? "" : std::getenv("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');)
    if (fs::exists(fs::path(folder) / "dciodvfy")) return fs::path(folder) / "dciodvfy";
  return {};
}

/// Its error lines, without the numbers of frames.
std::set<std::string> errors_of(const fs::path& tool, const fs::path& file) {
  const Outcome outcome = run({tool.string(), file.string()});
  std::istringstream lines(outcome.err + outcome.out);
  std::set<std::string> errors;
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("Error")) errors.insert(std::regex_replace(line, std::regex("\\[\\d+\\]"), "[]"));
  return errors;
}

/// Errors of a derived file that its source does not have.
void expect_no_new_errors(const fs::path& tool, const fs::path& source, const fs::path& derived) {
  const auto before = errors_of(tool, source);
  for (const std::string& error : errors_of(tool, derived)) {
    // An illegal UID of the source is illegal also where we refer to it.
    const std::string quoted = std::regex_replace(error, std::regex("[^\"]*(\"[^\"]*\")?.*"), "$1");
    const bool inherited = std::any_of(before.begin(), before.end(), [&](const std::string& known) {
      return known == error || (!quoted.empty() && known.find(quoted) != std::string::npos);
    });
    EXPECT_TRUE(inherited) << error;
  }
}

/// ImageType, and FrameType where there is one: DERIVED, PRIMARY of PET and enhanced objects, and what was made.
void expect_type(const DicomSeries& series, const io::detail::DicomDataset& dataset, const std::string& made) {
  const std::vector<std::string> type = dataset.texts(tags::kImageType);
  const bool enhanced = dataset.has(tags::kPerFrameFunctionalGroupsSequence);
  ASSERT_GE(type.size(), 4U);
  EXPECT_EQ(type[0], "DERIVED");
  EXPECT_EQ(type[1], enhanced || series.modality == "PT" ? "PRIMARY" : "SECONDARY");
  EXPECT_EQ(type[3], made);
  if (!enhanced) return;
  for (const io::detail::DicomElement& group :
       dataset.find(tags::kPerFrameFunctionalGroupsSequence)->items[0].elements())
    for (const io::detail::DicomDataset& item : group.items) {
      if (item.has(tags::kFrameType)) {
        EXPECT_EQ(item.texts(tags::kFrameType).at(3), made);
      }
    }
}

TEST_F(DerivedData, DciodvfyFindsNoNewErrors) {
  const fs::path tool = validator();
  if (tool.empty()) GTEST_SKIP() << "dciodvfy is not installed (Debian package dicom3tools)";
  for (const fs::path& sample : samples(data_)) {
    SCOPED_TRACE(sample.lexically_relative(data_).string());
    const DicomSeries series = io::find_series(sample).series.at(0);
    const at::Tensor voxels = io::read_series(series, {.accept = kAll}).voxels;
    expect_no_new_errors(tool, series.slices[0].file, derive(series, voxels).files[0]);
    const TemporaryFolder folder;
    // With a window of 0.08 units.
    const at::Tensor difference = (voxels - voxels.mean()) / (100 * voxels.std());
    const io::DerivedSeries scaled = io::write_derived_series(folder / "scaled", series, difference,
                                                              {.description = "less the mean",
                                                               .software_version = "1",
                                                               .image_type = "SUBTRACTION",
                                                               .scale = io::scale_for(difference)});
    expect_no_new_errors(tool, series.slices[0].file, scaled.files[0]);
    expect_type(series, io::detail::open_dicom(scaled.files[0]).dataset, "SUBTRACTION");
    const at::Tensor back = io::read_series(io::find_series(folder / "scaled").series.at(0), {.accept = kAll}).voxels;
    EXPECT_LE((back - difference).abs().max().item<double>(), 0.51 * io::scale_for(difference).slope);
  }
}

}  // namespace
}  // namespace reseda::tests
