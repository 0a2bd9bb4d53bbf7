#include "pipelines/medical/opened_scan.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/io/volume/dicom_bytes.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

using medical::find_scans;
using medical::Modality;
using medical::open_scan;
using medical::RestoreRequest;
using medical::Scan;

/// Slices of 2 x 3 pixels at the depths given.
void write_series(const TemporaryFolder& folder, const std::string& name, const std::vector<double>& depths,
                  const std::string& uid = "1.2.3.4", const std::string& modality = "CT") {
  for (std::size_t k = 0; k < depths.size(); ++k) {
    DicomBytes slice;
    slice.uid(uid + "." + std::to_string(k)).position(10, 20, depths[k]).text(0x0020000E, "UI", uid);
    slice.text(0x00080060, "CS", modality);
    folder.write(name + "/" + std::to_string(k) + ".dcm", slice.bytes());
  }
}

io::Volume volume_of(const at::Tensor& voxels) {
  io::Volume volume;
  volume.voxels = voxels;
  volume.stored = at::kShort;
  return volume;
}

TEST(FindScans, ASeriesIsOneItemWithItsFilesAndAPlainName) {
  const TemporaryFolder folder;
  write_series(folder, "study/doe^jane", {0, 1, 2});
  const std::vector<Scan> scans = find_scans({(folder / "study").string()}, {});
  ASSERT_EQ(scans.size(), 1U);
  EXPECT_EQ(scans[0].input.id, "series-7");
  EXPECT_EQ(scans[0].input.files.size(), 3U);
  EXPECT_EQ(medical::scan_size(scans[0]), (std::array<std::int64_t, 3>{3, 2, 3}));
}

TEST(FindScans, SeriesOfOneNumberGetNamesOfTheirOwnAndOtherModalitiesStayOut) {
  const TemporaryFolder folder;
  write_series(folder, "study/a", {0, 1}, "1.2.3.4");
  write_series(folder, "study/b", {0, 1}, "1.2.3.5");
  write_series(folder, "study/c", {0, 1}, "1.2.3.6", "US");
  const std::string study = (folder / "study").string();
  const std::vector<Scan> scans = find_scans({study}, {});
  ASSERT_EQ(scans.size(), 2U);
  EXPECT_EQ(scans[0].input.id, "series-7");
  EXPECT_EQ(scans[1].input.id, "series-7-2");
  EXPECT_EQ(find_scans({study}, {.any_modality = true}).size(), 3U);
  const std::vector<Scan> chosen = find_scans({study}, {.series = "1.2.3.5"});
  ASSERT_EQ(chosen.size(), 1U);
  EXPECT_EQ(chosen[0].series->series_uid, "1.2.3.5");
  expect_error(Errc::kInput, "of the modality US, not CT, MR or PT",
               [&] { find_scans({study}, {.series = "1.2.3.6"}); });
  EXPECT_EQ(find_scans({study}, {.series = "1.2.3.6", .any_modality = true}).size(), 1U);
}

TEST(FindScans, RefusesWhatCannotBeRight) {
  const TemporaryFolder folder;
  write_series(folder, "study", {0, 1});
  const std::string study = (folder / "study").string();
  expect_error(Errc::kOutput, "lies in the input folder",
               [&] { find_scans({study}, {.output = study + "/restored"}); });
  expect_error(Errc::kOutput, "lies in the input folder", [&] { find_scans({study}, {.output = study}); });
  expect_error(Errc::kOutput, "lies in the input folder", [&] {
    find_scans({study}, {.companions = {"", study + "/difference/"}});
  });
  EXPECT_EQ(find_scans({study}, {.output = study + "-restored", .companions = {study + "-difference/"}}).size(), 1U);
  EXPECT_EQ(find_scans({study}, {.companions = {study + "/difference.nii.gz"}}).size(), 1U) << "a file is no series";
  expect_error(Errc::kUsage, "give the folder", [&] { find_scans({study + "/0.dcm", study + "/1.dcm"}, {}); });
  expect_error(Errc::kUsage, "give its folder in place of a pattern", [&] { find_scans({study + "/*.dcm"}, {}); });
  const std::string whole = DicomBytes().position(10, 20, 2).uid("9").bytes();
  folder.write("study/9.dcm", whole.substr(0, whole.size() - 5));
  expect_error(Errc::kInput, "--skip-damaged", [&] { find_scans({study}, {}); });
  EXPECT_EQ(find_scans({study}, {.skip_damaged = true}).at(0).input.files.size(), 2U);
}

TEST(OpenScan, ModalityIsDicomsOrGuessedFromTheValuesOrGiven) {
  const TemporaryFolder folder;
  const std::string air = (folder / "air.nrrd").string(), head = (folder / "head.nrrd").string();
  io::write_volume(air, volume_of(at::tensor({-1000.0F, 0.0F, 40.0F, 7.0F}).view({1, 2, 2})));
  io::write_volume(head, volume_of(at::tensor({0.0F, 10.0F, 400.0F, 7.0F}).view({1, 2, 2})));
  const auto opened = [](const std::string& file, const RestoreRequest& request = {}) {
    return open_scan(find_scans({file}, {}).at(0), request);
  };
  EXPECT_EQ(opened(air).modality, Modality::kCt);
  EXPECT_EQ(opened(air).units, "HU");
  EXPECT_EQ(opened(head).modality, Modality::kMr);
  EXPECT_EQ(opened(head, {.modality = Modality::kPet}).modality, Modality::kPet);
  write_series(folder, "pet", {0, 1}, "1.2.3.4", "PT");
  EXPECT_EQ(opened((folder / "pet").string()).modality, Modality::kPet);
}

TEST(OpenScan, UnevenAndTiltedStacksAreForThePlaneAlone) {
  const TemporaryFolder folder;
  write_series(folder, "uneven", {0, 1, 3.3, 4});
  const Scan scan = find_scans({(folder / "uneven").string()}, {}).at(0);
  EXPECT_FALSE(open_scan(scan, {}).volume.even);
  EXPECT_EQ(open_scan(scan, {.task = "sr-inplane"}).volume.voxels.size(0), 4);
  expect_error(Errc::kInput, "sr-through needs slices at equal distances",
               [&] { open_scan(scan, {.task = "sr-through"}); });
}

TEST(OpenScan, RepeatedSlicesAreRefusedWithTheirFolderAndARemedy) {
  const TemporaryFolder folder;
  write_series(folder, "copied", {0, 1, 1});
  const std::string place = (folder / "copied").string();
  const Scan scan = find_scans({place}, {}).at(0);
  expect_error(Errc::kInput, "series-7 in " + place + ": 1 slice lies where another one is; remove the copies",
               [&] { open_scan(scan, {}); });
}

TEST(OpenScan, RefusesSlicesThatItDoesNotHave) {
  const TemporaryFolder folder;
  write_series(folder, "study", {0, 1, 2});
  const Scan scan = find_scans({(folder / "study").string()}, {}).at(0);
  expect_error(Errc::kUsage, "has 3 slices, --slices begins at 4",
               [&] { open_scan(scan, {.slices = medical::parse_slices("4:9")}); });
  EXPECT_EQ(open_scan(scan, {.slices = medical::parse_slices("3:9")}).volume.voxels.size(0), 3);
}

TEST(OpenScan, RefusesWhatNeedsMoreMemoryBeforeItReads) {
  const TemporaryFolder folder;
  write_series(folder, "study", {0, 1});
  Scan scan = find_scans({(folder / "study").string()}, {}).at(0);
  scan.series->rows = 40000;
  scan.series->columns = 40000;
  RestoreRequest request;
  request.max_memory = std::int64_t{4} << 30;
  expect_error(Errc::kUsage, "GiB, more than --max-memory 4.0 GiB", [&] { open_scan(scan, request); });
}

TEST(OpenScan, AMaskMustLieOnTheVolume) {
  const TemporaryFolder folder;
  const std::string file = (folder / "v.nrrd").string(), mask = (folder / "m.nrrd").string();
  io::write_volume(file, volume_of(at::zeros({2, 3, 4})));
  const Scan scan = find_scans({file}, {}).at(0);
  RestoreRequest request;
  request.mask = mask;
  io::Volume marks = volume_of(at::zeros({2, 3, 4}));
  marks.voxels[1][2][3] = 1;
  io::write_volume(mask, marks);
  const at::Tensor found = open_scan(scan, request).mask;
  EXPECT_EQ(found.sum().item<std::int64_t>(), 1);
  EXPECT_TRUE(found[1][2][3].item<bool>());
  request.slices.last = 1;
  expect_error(Errc::kInput, "the mask is 0 wherever", [&] { open_scan(scan, request); });
  request.slices = {};
  marks.geometry.origin_mm[1] = 1;
  io::write_volume(mask, marks);
  expect_error(Errc::kInput, "lies elsewhere", [&] { open_scan(scan, request); });
  io::write_volume(mask, volume_of(at::zeros({2, 3, 5})));
  expect_error(Errc::kInput, "the mask is", [&] { open_scan(scan, request); });
}

// Spacing 2 along w, halved: the first centre moves by -2/4; along d, which points to -z, by +3/4.
TEST(Refined, KeepsTheFieldOfView) {
  io::VolumeGeometry geometry;
  geometry.spacing_mm = {2, 1, 3};
  geometry.origin_mm = {10, 20, 30};
  geometry.direction = {{{1, 0, 0}, {0, 1, 0}, {0, 0, -1}}};
  const io::VolumeGeometry plane = medical::refined(geometry, {.slices = 1, .pixels = 2});
  EXPECT_EQ(plane.spacing_mm, (io::Vector3{1, 0.5, 3}));
  EXPECT_EQ(plane.origin_mm, (io::Vector3{9.5, 19.75, 30}));
  const io::VolumeGeometry through = medical::refined(geometry, {.slices = 2, .pixels = 1});
  EXPECT_EQ(through.spacing_mm, (io::Vector3{2, 1, 1.5}));
  EXPECT_EQ(through.origin_mm, (io::Vector3{10, 20, 30.75}));
}

}  // namespace
}  // namespace reseda::tests
