#include "io/volume/dicom_series.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <span>
#include <vector>

#include "io/volume/voxel_memory.hpp"
#include "tests/io/volume/dicom_bytes.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

using io::DicomListing;
using io::DicomSeries;
using io::find_series;
using io::Irregular;
using io::read_series;
using io::read_volume;
using io::Volume;

std::vector<float> values(const at::Tensor& voxels) {
  const at::Tensor flat = voxels.contiguous();
  return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
}

/// Slices at the depths, in files whose names, numbers and UIDs say nothing about the order.
void write_stack(const TemporaryFolder& folder, const std::vector<double>& depths) {
  for (std::size_t k = 0; k < depths.size(); ++k) {
    const std::string name = std::to_string(k * 7 % 10);
    DicomBytes slice;
    slice.uid(name)
        .position(10, 20, depths[k])
        .text(0x00200013, "IS", name)
        .pixels(std::vector<int>(6, static_cast<int>(k)));
    folder.write("series/" + name + ".dcm", slice.bytes());
  }
}

TEST(DicomSeries, IsSortedByPosition) {
  const TemporaryFolder folder;
  write_stack(folder, {5, 1, 3, -1});
  const Volume volume = read_volume(folder / "series");
  EXPECT_EQ(values(volume.voxels.select(1, 0).select(1, 0)), (std::vector<float>{-997, -999, -998, -1000}));
  EXPECT_EQ(volume.geometry.spacing_mm, (io::Vector3{0.5, 2, 2}));
  EXPECT_EQ(volume.geometry.origin_mm, (io::Vector3{10, 20, -1}));
  EXPECT_EQ(volume.stored, at::kShort);
  EXPECT_EQ(volume.metadata.at("units"), "HU");
  EXPECT_FALSE(volume.padding.defined());
  EXPECT_TRUE(volume.even);
}

TEST(DicomSeries, MemoryIsAskedForWithoutChangingWhatItHolds) {
  std::vector<float> voxels(5 * 4096 + 37, 2.0F);
  io::detail::populate(std::span(voxels).subspan(3, voxels.size() - 6));
  EXPECT_EQ(voxels, std::vector<float>(voxels.size(), 2.0F));
  io::detail::populate({});
}

TEST(DicomSeries, IrregularStacksAreRefusedUnlessAccepted) {
  const TemporaryFolder missing, uneven, tilted, repeated;
  write_stack(missing, {0, 1, 2, 4, 5});
  expect_error(Errc::kInput, "1 slice is missing between steps of 1 mm (accept 'missing'",
               [&] { read_volume(missing / "series"); });
  const DicomListing listing = find_series(missing / "series");
  const Volume kept = read_series(listing.series[0], {.accept = {Irregular::kMissing}});
  EXPECT_EQ(kept.voxels.size(0), 5);
  EXPECT_EQ(kept.geometry.spacing_mm[2], 1.25);
  EXPECT_FALSE(kept.even);

  write_stack(uneven, {0, 1, 2, 3.4});
  expect_error(Errc::kInput, "accept 'uneven'", [&] { read_volume(uneven / "series"); });
  for (int k = 0; k < 3; ++k)
    tilted.write("s/" + std::to_string(k), DicomBytes().uid(std::to_string(k)).position(10, 20 + k, 2 * k).bytes());
  expect_error(Errc::kInput, "accept 'tilt'", [&] { read_volume(tilted / "s"); });
  const Volume tilt = read_series(find_series(tilted / "s").series[0], {.accept = {Irregular::kTilt}});
  EXPECT_NEAR(tilt.geometry.direction[1][2], 1 / std::sqrt(5.0), 1e-12);
  EXPECT_TRUE(tilt.even);

  write_stack(repeated, {0, 1, 1, 2});
  expect_error(Errc::kInput, "accept 'repeated'", [&] { read_volume(repeated / "series"); });
  const DicomSeries once = io::without_repeats(find_series(repeated / "series").series[0]);
  EXPECT_TRUE(once.problems.empty());
  EXPECT_EQ(values(read_series(once).voxels.select(1, 0).select(1, 0)), (std::vector<float>{-1000, -998, -997}));
}

TEST(DicomSeries, EverySliceHasItsOwnScale) {
  const TemporaryFolder folder;
  const auto slice = [&](const char* name, double z, const char* slope, const char* intercept) {
    folder.write(name, DicomBytes()
                           .uid(name)
                           .position(0, 0, z)
                           .text(0x00281053, "DS", slope)
                           .text(0x00281052, "DS", intercept)
                           .bytes());
  };
  slice("a", 0, "0.5", "-1");
  slice("b", 1, "+2e1 ", " 3");
  const Volume volume = read_volume(folder.path());
  EXPECT_EQ(values(volume.voxels[0]), (std::vector<float>{-1, -0.5, 0, 0.5, 1, 1.5}));
  EXPECT_EQ(values(volume.voxels[1]), (std::vector<float>{3, 23, 43, 63, 83, 103}));
}

struct BitsCase {
  std::uint16_t allocated, stored, high;
  bool is_signed;
  std::vector<int> raw;
  std::vector<float> expected;
};

TEST(DicomSeries, SignAndUnusedBits) {
  const std::vector<BitsCase> cases = {
      {16, 16, 15, true, {-1, -32768, 32767, 0, 1, 2}, {-1, -32768, 32767, 0, 1, 2}},
      {16, 16, 15, false, {65535, 32768, 0, 1, 2, 3}, {65535, 32768, 0, 1, 2, 3}},
      {16, 12, 11, true, {0x0FFF, 0x0800, 0x07FF, 0xF001, 0xA800, 0}, {-1, -2048, 2047, 1, -2048, 0}},
      {16, 12, 11, false, {0x0FFF, 0x0800, 0xF7FF, 0xF001, 0, 0}, {4095, 2048, 2047, 1, 0, 0}},
      {16, 12, 15, true, {0xFFF0, 0x800F, 0x7FF0, 0x0010, 0, 0}, {-1, -2048, 2047, 1, 0, 0}},
      {8, 8, 7, false, {0xFF00, 0x0201, 0x0403}, {0, 255, 1, 2, 3, 4}},
      {8, 8, 7, true, {0xFF00, 0x807F, 0x0403}, {0, -1, 127, -128, 3, 4}}};
  for (const BitsCase& c : cases) {
    SCOPED_TRACE(std::to_string(c.stored) + " of " + std::to_string(c.allocated));
    const TemporaryFolder folder;
    DicomBytes slice;
    slice.bits(c.allocated, c.stored, c.high, c.is_signed).pixels(c.raw).text(0x00281052, "DS", "0");
    EXPECT_EQ(values(read_volume(folder.write("a", slice.bytes())).voxels), c.expected);
  }
}

TEST(DicomSeries, Monochrome1IsMirroredSoThatMoreIsBrighter) {
  const TemporaryFolder folder;
  DicomBytes slice;
  slice.text(0x00280004, "CS", "MONOCHROME1")
      .bits(16, 10, 9, false)
      .text(0x00281052, "DS", "0")
      .pixels({0, 1, 1023, 5, 6, 7});
  EXPECT_EQ(values(read_volume(folder.write("a", slice.bytes())).voxels),
            (std::vector<float>{1023, 1022, 0, 1018, 1017, 1016}));
}

TEST(DicomSeries, PaddingIsMarked) {
  const TemporaryFolder folder;
  DicomBytes slice;
  slice.pixels({-2000, 1, -1990, -1989, 4, 5})
      .number(0x00280120, 63536)
      .number(0x00280121, static_cast<std::uint16_t>(-1990), "SS");
  const Volume volume = read_volume(folder.write("a", slice.bytes()));
  ASSERT_TRUE(volume.padding.defined());
  EXPECT_TRUE(at::equal(volume.padding[0], at::tensor({1, 0, 1, 0, 0, 0}).view({2, 3}).to(at::kBool)));
}

TEST(DicomSeries, OtherEncodings) {
  const TemporaryFolder folder;
  const auto reversed = [](std::string bytes) { return std::string(bytes.rbegin(), bytes.rend()); };
  // Implicit: no VR, lengths of four bytes. Big endian: numbers and tags reversed.
  std::string implicit, big;
  for (std::string left = DicomBytes().dataset(); !left.empty();) {
    const std::string tag = left.substr(0, 4), vr = left.substr(4, 2);
    const bool is_long = vr == "OW";
    const std::size_t at = is_long ? 12 : 8;
    std::size_t size = 0;
    for (std::size_t i = at; i-- > (is_long ? 8u : 6u);) size = size << 8 | static_cast<unsigned char>(left[i]);
    const std::string value = left.substr(at, size);
    implicit += tag + DicomBytes::little(size, 4) + value;
    std::string swapped = value;
    if (vr == "US" || vr == "OW") {
      for (std::size_t i = 0; i < size; i += 2) std::swap(swapped[i], swapped[i + 1]);
    }
    big += reversed(tag.substr(0, 2)) + reversed(tag.substr(2)) + vr +
           (is_long ? std::string(2, '\0') + reversed(DicomBytes::little(size, 4))
                    : reversed(DicomBytes::little(size, 2))) +
           swapped;
    left.erase(0, at + size);
  }
  const std::vector<float> expected = {-1000, -999, -998, -997, -996, -995};
  const DicomBytes file;
  EXPECT_EQ(values(read_volume(folder.write("i", file.with_syntax("1.2.840.10008.1.2", implicit))).voxels), expected);
  EXPECT_EQ(values(read_volume(folder.write("b", file.with_syntax("1.2.840.10008.1.2.2", big))).voxels), expected);
}

TEST(DicomSeries, SeriesAreListedAndChosen) {
  const TemporaryFolder folder;
  folder.write("a", DicomBytes().uid("a").bytes());
  folder.write("deep/er/b",
               DicomBytes().uid("b").text(0x0020000E, "UI", "1.2.3.5").text(0x00200011, "IS", "3").bytes());
  folder.write("report", DicomBytes().erase(0x00280010).erase(0x7FE00010).bytes());
  folder.write("notes.txt", "not DICOM");
  const std::string whole = DicomBytes().bytes();
  folder.write("broken", whole.substr(0, whole.size() - 4));
  const DicomListing listing = find_series(folder.path());
  ASSERT_EQ(listing.series.size(), 2u);
  EXPECT_EQ(listing.series[0].number, 3);
  EXPECT_EQ(listing.series[1].series_uid, "1.2.3.4");
  EXPECT_EQ(listing.other.size(), 1u);
  ASSERT_EQ(listing.unreadable.size(), 1u);
  EXPECT_THAT(listing.unreadable[0], testing::HasSubstr("broken: is cut short"));
  EXPECT_EQ(&io::choose_series(listing, "1.2.3.5", "x"), &listing.series[0]);
  EXPECT_EQ(&io::choose_series(listing, "2", "x"), &listing.series[1]);
  expect_error(Errc::kUsage, "x: holds 2 series, choose one of 1: CT series 3, 1 x 2 x 3; 2: CT series 7, 1 x 2 x 3",
               [&] { io::choose_series(listing, "", "x"); });
  expect_error(Errc::kUsage, "no series '9'", [&] { io::choose_series(listing, "9", "x"); });
  expect_error(Errc::kInput, "cut short", [&] { read_volume(folder.path()); });
  expect_error(Errc::kInput, "does not exist", [&] { find_series(folder / "absent"); });
}

TEST(DicomSeries, VolumesOfOneSeriesAreToldApart) {
  const TemporaryFolder folder;
  int name = 0;
  const auto slice = [&](double z, const char* time, const char* type) {
    DicomBytes bytes;
    bytes.uid(std::to_string(name))
        .position(0, 0, z)
        .text(0x00200100, "IS", time)
        .text(0x00080008, "CS", std::string("ORIGINAL\\PRIMARY\\") + type);
    folder.write(std::to_string(name++), bytes.bytes());
  };
  for (const char* time : {"1", "2"})
    for (const double z : {0, 1, 2}) slice(z, time, "M");
  for (const double z : {0, 1, 2}) slice(z, "1", "P");
  const DicomListing listing = find_series(folder.path());
  ASSERT_EQ(listing.series.size(), 3u);
  EXPECT_EQ(listing.series[0].part, "");
  EXPECT_EQ(listing.series[1].part, "time 1");
  EXPECT_EQ(listing.series[2].part, "time 2");
  for (const DicomSeries& series : listing.series) EXPECT_EQ(series.slices.size(), 3u);
}

TEST(DicomSeries, FramesHaveTheirFunctionalGroups) {
  const TemporaryFolder folder;
  const auto group = [](std::uint32_t tag, const std::string& content) {
    return DicomBytes::element(tag, "SQ",
                               DicomBytes::little(0xFFFE, 2) + DicomBytes::little(0xE000, 2) +
                                   DicomBytes::little(content.size(), 4) + content);
  };
  const auto frame = [&](const char* position, const char* slope) {
    return group(0x00209113, DicomBytes::element(0x00200032, "DS", position)) +
           group(0x00289145, DicomBytes::element(0x00281052, "DS", "1") + DicomBytes::element(0x00281053, "DS", slope));
  };
  DicomBytes file;
  for (const std::uint32_t tag : {0x00200032u, 0x00200037u, 0x00280030u, 0x00281052u, 0x00281053u}) file.erase(tag);
  file.text(0x00280008, "IS", "2").pixels({0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15});
  file.sequence(0x52009229, {group(0x00209116, DicomBytes::element(0x00200037, "DS", "1\\0\\0\\0\\1\\0")) +
                             group(0x00289110, DicomBytes::element(0x00280030, "DS", "2\\0.5"))});
  file.sequence(0x52009230, {frame("0\\0\\4", "2"), frame("0\\0\\1", "3")});
  const Volume volume = read_volume(folder.write("a", file.bytes()));
  EXPECT_EQ(volume.geometry.spacing_mm, (io::Vector3{0.5, 2, 3}));
  EXPECT_EQ(values(volume.voxels[0]), (std::vector<float>{31, 34, 37, 40, 43, 46}));
  EXPECT_EQ(values(volume.voxels[1]), (std::vector<float>{1, 3, 5, 7, 9, 11}));
}

TEST(DicomSeries, RefusesWhatItCannotRead) {
  const TemporaryFolder folder;
  const auto refused = [&](DicomBytes& bytes, const std::string& why) {
    SCOPED_TRACE(why);
    const auto file = folder.write("a", bytes.bytes());
    expect_error(Errc::kInput, why, [&] { read_volume(file); });
  };
  refused(DicomBytes().text(0x00280004, "CS", "RGB"), "PhotometricInterpretation is 'RGB'");
  refused(DicomBytes().bits(32, 32, 31, true), "BitsAllocated is 32, expected 8 to 16");
  refused(DicomBytes().bits(16, 12, 10, true), "HighBit is 10, expected 11 to 15");
  refused(DicomBytes().erase(0x00280010), "Rows is missing");
  refused(DicomBytes().number(0x00280010, 200), "cut short: has 12 bytes of pixel data, expected 1200");
  refused(DicomBytes().text(0x00281053, "DS", "0"), "RescaleSlope is 0");
  refused(DicomBytes().text(0x00281053, "DS", "x"), "RescaleSlope is not 1 numbers");
  refused(DicomBytes().text(0x00200037, "DS", "1\\0\\0\\1\\0\\0"), "not two unit vectors");
  refused(DicomBytes().text(0x00280030, "DS", "0\\1"), "PixelSpacing is missing or not > 0");
  refused(DicomBytes().sequence(0x00283000, {""}), "modality lookup tables");
  refused(DicomBytes().text(0x00280008, "IS", "2").pixels(std::vector<int>(12, 0)), "accept 'unpositioned'");
  const auto syntax = folder.write("s", DicomBytes().with_syntax("1.2.840.10008.1.2.4.203", DicomBytes().dataset()));
  expect_error(Errc::kInput, "transfer syntax 1.2.840.10008.1.2.4.203 is not read", [&] { read_volume(syntax); });
  const auto whole = folder.write("whole", DicomBytes().bytes());
  expect_error(Errc::kInput, "more than the limit of 5", [&] { read_volume(whole, {.voxels = 5}); });
}

TEST(DicomSeries, DeepSequencesAreRefused) {
  const TemporaryFolder folder;
  std::string nested;
  for (int depth = 0; depth < 1000; ++depth) {
    const std::string item =
        DicomBytes::little(0xFFFE, 2) + DicomBytes::little(0xE000, 2) + DicomBytes::little(nested.size(), 4) + nested;
    nested = DicomBytes::element(0x00081140, "SQ", item);
  }
  const auto file = folder.write("a", DicomBytes().with_syntax("1.2.840.10008.1.2.1", nested));
  expect_error(Errc::kInput, "more than 32 deep", [&] { read_volume(file); });
}

}  // namespace
}  // namespace reseda::tests
