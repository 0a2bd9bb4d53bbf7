#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "io/volume/derived_series.hpp"
#include "io/volume/dicom_file.hpp"
#include "io/volume/dicom_tags.hpp"
#include "tests/io/volume/dicom_bytes.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

namespace tags = io::detail::tags;
using io::Derivation;
using io::DicomSeries;
using io::find_series;
using io::Irregular;
using io::Volume;

Derivation refined(std::int64_t slices, std::int64_t pixels) {
  Derivation how{.description = "made finer by a test", .software_version = "1.2.3"};
  how.code = {"113085", "DCM", "Spatial resampling"};
  how.refinement = {.slices = slices, .pixels = pixels};
  return how;
}

/// Oblique slices of 2 x 3 pixels of 2 mm x 0.5 mm: rows run along (0.6, 0, -0.8), columns to the back, so that the
/// normal is (0.8, 0, 0.6).
struct Source {
  explicit Source(const std::vector<double>& depths, double tilt = 0) {
    for (std::size_t k = 0; k < depths.size(); ++k) {
      DicomBytes slice;
      const double d = depths[k];
      slice.uid(std::to_string(k)).position(10 + 0.8 * d, 20 + tilt * d, 0.6 * d).pixels({7, 1, 2, 3, 4, 5});
      slice.text(0x00200037, "DS", "0.6\\0\\-0.8\\0\\1\\0").text(0x00180050, "DS", "3").text(0x00180088, "DS", "4");
      slice.text(0x00201041, "DS", "12").text(0x00200013, "IS", std::to_string(40 - k)).text(0x60003000, "OW", "abcd");
      slice.text(0x00200052, "UI", "1.2.3.9").number(0x00280120, 7);
      folder.write("in/" + std::to_string(k), slice.bytes());
    }
    series = find_series(folder / "in").series.at(0);
  }
  TemporaryFolder folder;
  DicomSeries series;
};

void expect_near(const io::Vector3& a, const io::Vector3& b, double tolerance = 1e-9) {
  for (std::size_t axis = 0; axis < 3; ++axis) EXPECT_NEAR(a[axis], b[axis], tolerance);
}

TEST(RefinedSeries, TwiceTheSlicesKeepTheFieldOfView) {
  const Source source({0, 4, 8});
  at::Tensor voxels = at::arange(36, at::kFloat).view({6, 2, 3});
  const io::DerivedSeries derived =
      io::write_derived_series(source.folder / "out", source.series, voxels, refined(2, 1));
  ASSERT_EQ(derived.files.size(), 6u);
  const DicomSeries back = find_series(source.folder / "out").series.at(0);
  EXPECT_TRUE(back.problems.empty());
  ASSERT_EQ(back.slices.size(), 6u);
  // Slices of 4 mm with their middles at 0, 4 and 8 become slices of 2 mm at -1, 1, 3, 5, 7, 9.
  for (int j = 0; j < 6; ++j)
    expect_near(back.slices[static_cast<std::size_t>(j)].position_mm, {10 + 0.8 * (2 * j - 1), 20, 0.6 * (2 * j - 1)});
  EXPECT_NEAR(back.geometry.spacing_mm[2], 2, 1e-9);
  expect_near(back.geometry.direction[0], {0.6, 0, 0.8});
  const Volume volume = io::read_series(back);
  // The first pixel of each slice is padding in the source and stays; its value is -1000 + 7.
  voxels.select(1, 0).select(1, 0).fill_(-993);
  EXPECT_TRUE(at::equal(volume.voxels, voxels));
  EXPECT_EQ(volume.padding.sum().item<std::int64_t>(), 6);
  const auto dataset = io::detail::open_dicom(derived.files[3]).dataset;
  EXPECT_EQ(dataset.text(tags::kInstanceNumber), "4");
  EXPECT_EQ(dataset.text(tags::kSliceThickness), "1.5");
  EXPECT_EQ(dataset.text(tags::kSpacingBetweenSlices), "2");
  EXPECT_EQ(dataset.texts(tags::kPixelSpacing), (std::vector<std::string>{"2", "0.5"}));
  EXPECT_EQ(dataset.text(0x00200052), "1.2.3.9");
  EXPECT_FALSE(dataset.has(tags::kSliceLocation));
  EXPECT_EQ(dataset.first_item(tags::kSourceImageSequence)->text(tags::kReferencedSopInstanceUid), "1.2.3.1.1");
  EXPECT_NE(dataset.text(tags::kSopInstanceUid),
            io::detail::open_dicom(derived.files[2]).dataset.text(tags::kSopInstanceUid));
}

TEST(RefinedSeries, TwiceThePixelsKeepTheFieldOfView) {
  const Source source({0, 4});
  at::Tensor voxels = at::arange(48, at::kFloat).view({2, 4, 6});
  io::write_derived_series(source.folder / "out", source.series, voxels, refined(1, 2));
  const DicomSeries back = find_series(source.folder / "out").series.at(0);
  EXPECT_EQ(back.rows, 4);
  EXPECT_EQ(back.columns, 6);
  // A quarter of 0.5 mm back along the row and of 2 mm along the column.
  expect_near(back.slices[0].position_mm, {10 - 0.125 * 0.6, 20 - 0.5, 0.125 * 0.8});
  EXPECT_NEAR(back.geometry.spacing_mm[0], 0.25, 1e-12);
  EXPECT_NEAR(back.geometry.spacing_mm[1], 1, 1e-12);
  EXPECT_NEAR(back.geometry.spacing_mm[2], 4, 1e-9);
  const Volume volume = io::read_series(back);
  voxels.slice(1, 0, 2).slice(2, 0, 2).fill_(-993);  // padding, four for one
  EXPECT_TRUE(at::equal(volume.voxels, voxels));
  const auto dataset = io::detail::open_dicom(source.folder / "out/IM00001.dcm").dataset;
  EXPECT_EQ(dataset.text(tags::kInstanceNumber), "40");
  EXPECT_EQ(dataset.text(tags::kSliceThickness), "3");
  EXPECT_EQ(dataset.text(tags::kSliceLocation), "12");
  EXPECT_FALSE(dataset.has(0x60003000)) << "an overlay of the old size";
}

TEST(RefinedSeries, TiltedAndUnevenStacksAreDividedAlongTheirSteps) {
  const Source tilted({0, 4, 8}, 0.25);
  io::write_derived_series(tilted.folder / "out", tilted.series, at::zeros({6, 2, 3}), refined(2, 1));
  const DicomSeries back = find_series(tilted.folder / "out").series.at(0);
  ASSERT_EQ(back.problems.size(), 1u);
  EXPECT_EQ(back.problems[0].kind, Irregular::kTilt);
  expect_near(back.slices[1].position_mm, {10.8, 20.25, 0.6});
  const Source uneven({0, 4, 10});
  io::write_derived_series(uneven.folder / "out", uneven.series, at::zeros({6, 2, 3}), refined(2, 1));
  // In the middle half the way from the first to the last: 5 mm; at the ends 4 and 6.
  std::vector<double> depths;
  for (const io::DicomSlice& slice : find_series(uneven.folder / "out").series.at(0).slices)
    depths.push_back(slice.position_mm[2] / 0.6);
  for (std::size_t j = 0; j < 6; ++j)
    EXPECT_NEAR(depths[j], (std::vector<double>{-1, 1, 2.75, 5.25, 8.5, 11.5})[j], 1e-9);
}

TEST(RefinedSeries, ASingleSliceIsDividedByItsSpacing) {
  const Source source({5});
  io::write_derived_series(source.folder / "out", source.series, at::zeros({4, 2, 3}), refined(4, 1));
  const DicomSeries back = find_series(source.folder / "out").series.at(0);
  // SpacingBetweenSlices is 4 mm.
  for (std::size_t j = 0; j < 4; ++j)
    EXPECT_NEAR(back.slices[j].position_mm[2], 0.6 * (5 + static_cast<double>(j) - 1.5), 1e-9);
}

TEST(RefinedSeries, CompressedAndStripped) {
  const Source source({0, 4});
  const at::Tensor voxels = at::arange(96, at::kFloat).view({4, 4, 6});
  for (const auto compression : {io::DicomCompression::kRle, io::DicomCompression::kJpegLs}) {
    Derivation how = refined(2, 2);
    how.compression = compression;
    how.strip_phi = true;
    how.phi_key = "key";
    const auto out = source.folder / std::to_string(static_cast<int>(compression));
    io::write_derived_series(out, source.series, voxels, how);
    const Volume volume = io::read_volume(out);
    EXPECT_EQ(volume.voxels.sizes(), voxels.sizes());
    EXPECT_TRUE(at::equal(volume.voxels.slice(2, 2), voxels.slice(2, 2)));
    EXPECT_EQ(volume.geometry.spacing_mm, (io::Vector3{0.25, 1, volume.geometry.spacing_mm[2]}));
    EXPECT_NEAR(volume.geometry.spacing_mm[2], 2, 1e-9);
  }
}

TEST(RefinedSeries, RefusesWhatHasNoFinerGrid) {
  const Source missing({0, 4, 8, 16}), whole({0, 4});
  const auto refine = [](const Source& source, const at::Tensor& voxels, std::int64_t slices, std::int64_t pixels) {
    io::write_derived_series(source.folder / "out", source.series, voxels, refined(slices, pixels));
  };
  expect_error(Errc::kOutput, "cannot write finer slices: 1 slice is missing", [&] {
    refine(missing, at::zeros({8, 2, 3}), 2, 1);
  });
  expect_error(Errc::kOutput, "the derived series is 4 x 2 x 3", [&] { refine(whole, at::zeros({2, 2, 3}), 2, 1); });
  expect_error(Errc::kOutput, "no more than 65535", [&] { refine(whole, at::zeros({2, 2, 3}), 1, 30000); });
  expect_error(Errc::kUsage, ">= 1", [&] { refine(whole, at::zeros({2, 2, 3}), 0, 1); });
  DicomBytes frames;
  frames.text(0x00280008, "IS", "2").pixels(std::vector<int>(12, 0));
  whole.folder.write("frames/a", frames.bytes());
  const DicomSeries series = find_series(whole.folder / "frames").series.at(0);
  expect_error(Errc::kOutput, "no finer grid", [&] {
    io::write_derived_series(whole.folder / "out", series, at::zeros({2, 4, 6}), refined(1, 2));
  });
  EXPECT_FALSE(std::filesystem::exists(whole.folder / "out"));
}

}  // namespace
}  // namespace reseda::tests
