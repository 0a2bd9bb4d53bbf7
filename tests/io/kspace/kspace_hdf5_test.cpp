// fastMRI's and ISMRMRD's files, written here by the HDF5 library, and what must be refused.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numbers>

#include "io/kspace/ismrmrd.hpp"
#include "io/kspace/kspace.hpp"
#include "io/kspace/sinogram_hdf5.hpp"
#include "modules/core/noise.hpp"
#include "tests/io/kspace/hdf5_writer.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::io {
namespace {

using tests::Complexes;
using tests::encoding_xml;
using tests::expect_error;
using tests::Hdf5Writer;
using tests::TestAcquisition;
using tests::write_ismrmrd;

constexpr std::uint64_t kNoise = 1u << 18, kReverse = 1u << 21, kNavigator = 1u << 22;

Complexes ramp(std::size_t count) {
  Complexes out;
  for (std::size_t i = 0; i < count; ++i) out.emplace_back(static_cast<float>(i + 1), -static_cast<float>(i));
  return out;
}

at::Tensor tensor(const Complexes& values, at::IntArrayRef shape) {
  return at::from_blob(const_cast<std::complex<float>*>(values.data()), shape, at::kComplexFloat).clone();
}

class KspaceHdf5 : public testing::Test {
 protected:
  std::filesystem::path file() const { return folder_ / "k.h5"; }
  /// 16 lines of 16 samples of one channel, line l full of l + 1.
  static std::vector<TestAcquisition> lines() {
    std::vector<TestAcquisition> out;
    for (std::uint16_t l = 0; l < 16; ++l)
      out.push_back({.samples = 16,
                     .channels = 1,
                     .centre = 8,
                     .line = l,
                     .values = Complexes(16, {static_cast<float>(l + 1), 0})});
    return out;
  }
  tests::TemporaryFolder folder_;
};

TEST_F(KspaceHdf5, FastMriIsReadWithItsMaskAndTheImagesSize) {
  const Complexes values = ramp(2 * 3 * 32 * 20);
  {
    Hdf5Writer writer(file());
    writer.complexes("kspace", {2, 3, 32, 20}, values, {1, 1, 32, 20});
    writer.text("ismrmrd_header", encoding_xml(32, 20, 16, 18, 10));
    std::vector<float> mask(20, 1.0F);
    mask[4] = 0;
    writer.floats("mask", {20}, mask);
  }
  const Kspace read = read_kspace(file());
  EXPECT_EQ(read.format, "fastMRI");
  at::Tensor wanted = tensor(values, {2, 3, 32, 20});
  wanted.select(3, 4).zero_();
  EXPECT_TRUE(at::equal(read.samples, wanted));
  EXPECT_EQ(read.mask.sum().item<float>(), 2 * 32 * 19);
  EXPECT_EQ(read.shown[0], 16);
  EXPECT_EQ(read.shown[1], 18);
  EXPECT_DOUBLE_EQ(read.spacing_mm[1], 32.0 / 16);  // the readout runs along the height
  EXPECT_DOUBLE_EQ(read.spacing_mm[0], 48.0 / 18);
}

TEST_F(KspaceHdf5, AFastMriVolumeOfOneCoilNeedsNoHeader) {
  Hdf5Writer(file()).complexes("kspace", {2, 16, 16}, ramp(512));
  EXPECT_EQ(read_kspace(file()).samples.sizes(), at::IntArrayRef({2, 1, 16, 16}));
}

TEST_F(KspaceHdf5, LinesOfIsmrmrdAreSortedAroundTheCentreAndAveraged) {
  std::vector<TestAcquisition> all = lines();
  all.resize(12);  // the last four are not measured
  std::swap(all[2], all[9]);
  TestAcquisition again = all[0];
  for (auto& value : again.values) value = {3, 0};
  all.push_back(again);
  TestAcquisition navigator = all[1];
  navigator.flags = kNavigator;
  all.push_back(navigator);
  write_ismrmrd(file(), encoding_xml(16, 16, 16, 16, 6), all);
  const Kspace read = read_kspace(file());
  EXPECT_EQ(read.format, "ISMRMRD");
  ASSERT_EQ(read.samples.sizes(), at::IntArrayRef({1, 1, 16, 16}));
  // Line l goes to row 8 - 6 + l.
  EXPECT_EQ(read.mask[0].select(1, 0).sum().item<float>(), 12);
  EXPECT_EQ(read.mask[0][1][0].item<float>(), 0);
  EXPECT_FLOAT_EQ(at::real(read.samples[0][0][2][5]).item<float>(), 2);  // mean of 1 and 3
  EXPECT_FLOAT_EQ(at::real(read.samples[0][0][3][5]).item<float>(), 2);
  EXPECT_FLOAT_EQ(at::real(read.samples[0][0][13][5]).item<float>(), 12);
  EXPECT_DOUBLE_EQ(read.spacing_mm[0], 2);
  EXPECT_DOUBLE_EQ(read.spacing_mm[2], 5);
}

TEST_F(KspaceHdf5, AReversedReadoutIsTurned) {
  std::vector<TestAcquisition> all = lines();
  for (std::size_t i = 0; i < 16; ++i) all[3].values[i] = {static_cast<float>(i), 0};
  all[3].flags = kReverse;
  all[3].centre = 7;  // 15 - 7 = 8 after the turn
  write_ismrmrd(file(), encoding_xml(16, 16, 16, 16, 8), all);
  EXPECT_FLOAT_EQ(at::real(read_kspace(file()).samples[0][0][3][15]).item<float>(), 0);
  EXPECT_FLOAT_EQ(at::real(read_kspace(file()).samples[0][0][3][0]).item<float>(), 15);
}

TEST_F(KspaceHdf5, ReadoutOversamplingIsCutAwayInTheImage) {
  // A point at x of 32 pixels, which is x - 8 of the middle 16: its spectrum is e^{-2 pi i k (x - 16) / 32}.
  const int x = 19;
  TestAcquisition line{.samples = 32, .channels = 1, .centre = 16, .values = Complexes(32)};
  for (int k = 0; k < 32; ++k)
    line.values[static_cast<std::size_t>(k)] =
        std::polar(1.0F, static_cast<float>(-2 * std::numbers::pi * (k - 16) * (x - 16) / 32));
  write_ismrmrd(file(), encoding_xml(32, 16, 16, 16, 8), {line});
  const at::Tensor samples = read_kspace(file()).samples[0][0][0];
  ASSERT_EQ(samples.numel(), 16);
  for (int k = 0; k < 16; ++k) {
    const auto wanted =
        std::polar(std::sqrt(2.0F), static_cast<float>(-2 * std::numbers::pi * (k - 8) * (x - 16) / 16));
    EXPECT_NEAR(at::real(samples[k]).item<float>(), wanted.real(), 1e-5) << k;
    EXPECT_NEAR(at::imag(samples[k]).item<float>(), wanted.imag(), 1e-5) << k;
  }
}

TEST_F(KspaceHdf5, NoiseScansWhitenTheCoils) {
  CounterNoise noise(1);
  const at::Tensor white = noise.normal({"coils", "noise"}, {2, 4000}, at::kComplexFloat);
  TestAcquisition scan{.flags = kNoise, .samples = 4000, .channels = 2};
  for (int c = 0; c < 2; ++c)
    for (int i = 0; i < 4000; ++i) {
      const auto first = white[0][i].item<c10::complex<float>>(), own = white[c][i].item<c10::complex<float>>();
      const c10::complex<float> value = c == 0 ? first * 3.0F : own + first;
      scan.values.emplace_back(value.real(), value.imag());
    }
  std::vector<TestAcquisition> all{scan};
  for (std::uint16_t l = 0; l < 16; ++l) {  // an image that is this noise again
    TestAcquisition line{.samples = 16, .channels = 2, .centre = 8, .line = l};
    for (int c = 0; c < 2; ++c)
      for (int i = 0; i < 16; ++i) line.values.push_back(scan.values[static_cast<std::size_t>(c * 4000 + l * 16 + i)]);
    all.push_back(line);
  }
  write_ismrmrd(file(), encoding_xml(16, 16, 16, 16, 8), all);
  const Kspace read = read_kspace(file());
  const at::Tensor coils = read.samples[0].reshape({2, -1});
  const at::Tensor covariance = at::mm(coils, coils.conj().t()) / 256.0;
  EXPECT_EQ(read.samples.size(0), 1);
  const double ratio = at::real(covariance[0][0]).item<double>() / at::real(covariance[1][1]).item<double>();
  EXPECT_NEAR(ratio, 1, 0.3) << "it was 4.5";
  const double cross = covariance[0][1].abs().item<double>() / at::real(covariance[1][1]).item<double>();
  EXPECT_LT(cross, 0.2) << "it was 1.5";
}

TEST_F(KspaceHdf5, WhatIsNotCartesianOrDoesNotFitIsRefused) {
  std::string xml = encoding_xml(16, 16, 16, 16, 8);
  const auto refused = [&](const std::string& text, const std::string& header,
                           const std::vector<TestAcquisition>& all) {
    write_ismrmrd(file(), header, all);
    expect_error(Errc::kInput, text, [&] { read_kspace(file()); });
  };
  std::string spiral = xml;
  spiral.replace(spiral.find("cartesian"), 9, "spiral");
  refused("trajectory is spiral", spiral, lines());
  std::string deep = xml;
  deep.replace(deep.find("<z>1</z>"), 8, "<z>8</z>");
  refused("3-D encoding", deep, lines());
  refused("no element 'encoding'", "<ismrmrdHeader/>", lines());
  refused("lies outside", encoding_xml(16, 8, 16, 8, 4), lines());
  refused("does not fit", encoding_xml(12, 16, 12, 16, 8), lines());
  std::vector<TestAcquisition> short_line = lines();
  short_line[5].samples = 12;  // its header lies
  refused("its header says", xml, short_line);
  refused("far more samples", encoding_xml(30000, 30000, 30000, 30000, 15000), lines());
}

TEST_F(KspaceHdf5, OtherDatasetsAndOtherFilesAreRefused) {
  { Hdf5Writer(file()).floats("kspace", {2, 16, 16}, std::vector<float>(512)); }
  expect_error(Errc::kInput, "not an array of complex", [&] { read_kspace(file()); });
  { Hdf5Writer(file()).floats("other", {2}, {1, 2}); }
  expect_error(Errc::kInput, "has neither a dataset 'kspace'", [&] { read_kspace(file()); });
  folder_.write("k.h5", "this is no HDF5");
  expect_error(Errc::kInput, "is not HDF5", [&] { read_kspace(file()); });
  expect_error(Errc::kInput, "is no file", [&] { read_kspace(folder_ / "absent.h5"); });
}

TEST_F(KspaceHdf5, LinksLeadNowhere) {
  {
    Hdf5Writer outside(folder_ / "outside.h5");
    outside.complexes("kspace", {1, 16, 16}, ramp(256));
  }
  {
    Hdf5Writer writer(file());
    H5Lcreate_external("outside.h5", "kspace", writer.id(), "kspace", H5P_DEFAULT, H5P_DEFAULT);
  }
  expect_error(Errc::kInput, "is a link elsewhere", [&] { read_kspace(file()); });
  {
    Hdf5Writer writer(file());
    const hsize_t shape[3] = {1, 16, 16};
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, shape, nullptr);
    H5Pset_external(list, "/etc/hostname", 0, 1024);
    H5Dclose(H5Dcreate2(writer.id(), "kspace", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, list, H5P_DEFAULT));
    H5Sclose(space);
    H5Pclose(list);
  }
  expect_error(Errc::kInput, "in another file", [&] { read_kspace(file()); });
}

TEST_F(KspaceHdf5, DatasetsThatTheFileCannotHoldAreRefused) {
  { Hdf5Writer(file()).write("kspace", H5T_NATIVE_FLOAT, {1, 1 << 20, 1 << 20}, nullptr, {1, 1024, 1024}); }
  expect_error(Errc::kInput, "which the file cannot hold", [&] { read_kspace(file()); });
  { Hdf5Writer(file()).write("kspace", H5T_NATIVE_FLOAT, {1, 1 << 14, 1 << 14}, nullptr, {1, 1 << 14, 1 << 14}); }
  expect_error(Errc::kInput, "chunks above 256 MB", [&] { read_kspace(file()); });
}

TEST_F(KspaceHdf5, ASinogramIsADatasetOfNumbers) {
  {
    Hdf5Writer writer(file());
    writer.group("scan");
    writer.floats("scan/sinogram", {2, 3}, {1, 2, 3, 4, 5, 6});
  }
  const at::Tensor read = read_hdf5_numbers(file(), "scan/sinogram");
  EXPECT_TRUE(at::equal(read, at::arange(1, 7, at::kFloat).reshape({2, 3})));
  expect_error(Errc::kInput, "has no dataset 'sinogram'", [&] { read_hdf5_numbers(file(), "sinogram"); });
}

}  // namespace
}  // namespace reseda::io
