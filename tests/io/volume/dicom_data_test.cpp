#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "io/volume/dicom_series.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/shared_data.hpp"

namespace reseda::tests {
namespace {

namespace fs = std::filesystem;
using io::DicomListing;
using io::DicomSeries;
using io::Irregular;
using io::Volume;

const std::set<Irregular> kAll = {Irregular::kMissing, Irregular::kUneven, Irregular::kTilt, Irregular::kUnpositioned};

class DicomData : public testing::Test {
 protected:
  void SetUp() override {
    data_ = shared_data("medical/dicom");
    if (data_.empty()) GTEST_SKIP() << "the DICOM scans are not here (RESEDA_DATA_DIR)";
  }
  fs::path data_;
};

std::set<Irregular> kinds(const DicomSeries& series) {
  std::set<Irregular> kinds;
  for (const io::StackProblem& problem : series.problems) kinds.insert(problem.kind);
  return kinds;
}

TEST_F(DicomData, SeriesAreFoundAsTheirReadmeSays) {
  struct Expected {
    const char* folder;
    std::vector<std::int64_t> size;
    io::Vector3 spacing;
    std::set<Irregular> problems;
    const char* units;
  };
  const std::vector<Expected> all = {
      {"ct_chest", {33, 512, 512}, {0.78125, 0.78125, 1}, {}, "HU"},
      {"ct_head_tilt", {28, 512, 512}, {0.4882812, 0.4882812, 5.6274}, {Irregular::kTilt, Irregular::kUneven}, "HU"},
      {"mr_t1_signed", {48, 384, 274}, {0.69998783, 0.66666669, 0.66666669}, {}, "US"},
      {"mr_pd_oblique",
       {20, 256, 256},
       {0.859375, 0.859375, 7.00052},
       {Irregular::kUneven},
       "SIGNAL INTENSITY (UNITLESS)"},
      {"pt_wholebody", {48, 128, 128}, {3.5378182, 3.5378182, 3.375}, {}, "BQML"}};
  for (const Expected& expected : all) {
    SCOPED_TRACE(expected.folder);
    const DicomListing listing = io::find_series(data_ / expected.folder);
    EXPECT_TRUE(listing.unreadable.empty());
    ASSERT_EQ(listing.series.size(), 1u);
    const DicomSeries& series = listing.series[0];
    EXPECT_EQ(kinds(series), expected.problems);
    EXPECT_EQ(series.units, expected.units);
    for (std::size_t axis = 0; axis < 3; ++axis)
      EXPECT_NEAR(series.geometry.spacing_mm[axis], expected.spacing[axis], 1e-4);
    EXPECT_EQ(io::read_series(series, {.accept = kAll}).voxels.sizes(), at::IntArrayRef(expected.size));
  }
  expect_error(Errc::kInput, "tilted by 18.5 degrees", [&] {
    io::read_series(io::find_series(data_ / "ct_head_tilt").series[0], {.accept = {Irregular::kUneven}});
  });
}

TEST_F(DicomData, MultiFrameFilesAreDividedIntoVolumes) {
  const DicomListing listing = io::find_series(data_ / "enhanced_multiframe");
  EXPECT_TRUE(listing.unreadable.empty());
  std::multiset<std::vector<std::int64_t>> sizes;
  for (const DicomSeries& series : listing.series) {
    EXPECT_TRUE(series.problems.empty()) << series.slices[0].file;
    sizes.insert(io::read_series(series).voxels.sizes().vec());
  }
  const std::vector<std::int64_t> siemens = {6, 64, 64}, philips = {32, 64, 64}, perfusion = {25, 64, 64};
  EXPECT_EQ(
      sizes,
      (std::multiset<std::vector<std::int64_t>>{
          siemens, siemens, siemens, siemens, philips, philips, perfusion, perfusion, {2, 512, 512}, {3, 38, 23}}));
  // The same object by two writers.
  const Volume agfa = io::read_volume(data_ / "enhanced_multiframe/agfa_011-0001.dcm");
  const Volume vida = io::read_volume(data_ / "enhanced_multiframe/siemens_vida_011-0001.dcm");
  EXPECT_TRUE(at::equal(agfa.voxels, vida.voxels));
  EXPECT_EQ(agfa.geometry.direction, vida.geometry.direction);
}

TEST_F(DicomData, LosslessTransferSyntaxesHoldTheSameVoxels) {
  const fs::path folder = data_ / "transfer_syntaxes";
  const auto voxels = [&](const std::string& name) { return io::read_volume(folder / (name + ".dcm")).voxels; };
  const at::Tensor ct = voxels("ctimage_original"), ct2 = voxels("ct2_unc"), mr4 = voxels("mr4_unc");
  EXPECT_EQ(ct.max().item<float>(), 1378);
  for (const char* name :
       {"LittleEndianImplicit", "LittleEndianExplicit", "BigEndianExplicit", "DeflatedExplicitVRLittleEndian",
        "RLELossless", "JPEGProcess14", "JPEGProcess14SV1", "JPEGLSLossless", "JPEG2000LosslessOnly"})
    EXPECT_TRUE(at::equal(voxels(std::string("ctimage_") + name + "TransferSyntax"), ct)) << name;
  for (const char* kind : {"rle", "jpll", "jlsl", "j2kr"}) {
    EXPECT_TRUE(at::equal(voxels(std::string("ct2_") + kind), ct2)) << kind;
    EXPECT_TRUE(at::equal(voxels(std::string("mr4_") + kind), mr4)) << kind;
  }
}

TEST_F(DicomData, LossyTransferSyntaxesAreNear) {
  const fs::path folder = data_ / "transfer_syntaxes";
  const auto distance = [&](const std::string& a, const std::string& b) {
    const at::Tensor error = io::read_volume(folder / a).voxels - io::read_volume(folder / b).voxels;
    return error.to(at::kDouble).abs().mean().item<double>();
  };
  // Mean distances in HU; the last two were stored in 8 bits and in 12 bits of a narrower window.
  EXPECT_LT(distance("ctimage_JPEG2000TransferSyntax.dcm", "ctimage_original.dcm"), 2);
  EXPECT_LT(distance("ctimage_JPEGLSLossyTransferSyntax.dcm", "ctimage_original.dcm"), 1.5);
  for (const char* process : {"2_4", "6_8", "10_12"})
    EXPECT_LT(distance(std::string("ctimage_JPEGProcess") + process + "TransferSyntax.dcm", "ctimage_original.dcm"), 8)
        << process;
  EXPECT_LT(distance("ctimage_JPEGProcess1TransferSyntax.dcm", "ctimage_original.dcm"), 40);
  EXPECT_LT(distance("ct2_jlsn.dcm", "ct2_unc.dcm"), 5);
  EXPECT_LT(distance("mr4_jlsn.dcm", "mr4_unc.dcm"), 40);
  EXPECT_LT(distance("mr4_jply.dcm", "mr4_unc.dcm"), 120);
}

TEST_F(DicomData, Monochrome1) {
  const Volume lossless = io::read_volume(data_ / "monochrome1/rg3_j2kr.dcm");
  EXPECT_EQ(lossless.voxels.sizes(), (std::vector<std::int64_t>{1, 1760, 1760}));
  EXPECT_EQ(lossless.voxels.max().item<float>(), 1023);
  const Volume near = io::read_volume(data_ / "monochrome1/rg3_jlsn.dcm");
  EXPECT_LE((near.voxels - lossless.voxels).abs().max().item<float>(), 8);
  EXPECT_EQ(io::read_volume(data_ / "monochrome1/rg1_j2ki.dcm").voxels.size(1), 1955);
}

}  // namespace
}  // namespace reseda::tests
