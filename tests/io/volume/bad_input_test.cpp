#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <string>

#include "io/volume/derived_series.hpp"
#include "io/volume/dicom_file.hpp"
#include "io/volume/dicom_writer.hpp"
#include "tests/io/volume/dicom_bytes.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

namespace fs = std::filesystem;
using io::DicomListing;
using io::find_series;
using io::read_volume;

TEST(BadInput, TwoPatientsAreNeverOneVolume) {
  const TemporaryFolder folder;
  // A copied series UID is no reason to stack one person on another.
  folder.write("a", DicomBytes().uid("1").text(0x00100020, "LO", "A").bytes());
  folder.write("b", DicomBytes().uid("2").text(0x00100020, "LO", "B").position(10, 20, 1).bytes());
  EXPECT_EQ(find_series(folder.path()).series.size(), 2u);
  expect_error(Errc::kUsage, "holds 2 series, choose one of", [&] { read_volume(folder.path()); });
}

TEST(BadInput, SlicesOfOtherSizesOrSpacingsAreOtherSeries) {
  const TemporaryFolder folder;
  folder.write("a", DicomBytes().uid("1").bytes());
  folder.write("b", DicomBytes().uid("2").position(10, 20, 1).text(0x00280030, "DS", "2\\0.6").bytes());
  folder.write("c", DicomBytes().uid("3").position(10, 20, 2).number(0x00280010, 1).bytes());
  EXPECT_EQ(find_series(folder.path()).series.size(), 3u);
}

TEST(BadInput, MissingAttributesAreNamed) {
  const TemporaryFolder folder;
  for (const auto& [tag, keyword] : {std::pair{0x00280011u, "Columns"},
                                     {0x00280100u, "BitsAllocated"},
                                     {0x00280101u, "BitsStored"},
                                     {0x00280102u, "HighBit"},
                                     {0x00280103u, "PixelRepresentation"}}) {
    const auto file = folder.write("a", DicomBytes().erase(tag).bytes());
    expect_error(Errc::kInput, std::string(keyword) + " is missing", [&] { read_volume(file); });
  }
  const auto spacing = folder.write("a", DicomBytes().erase(0x00280030).bytes());
  expect_error(Errc::kInput, "PixelSpacing is missing or not > 0", [&] { read_volume(spacing); });
  const auto pixels = folder.write("a", DicomBytes().erase(0x7FE00010).bytes());
  expect_error(Errc::kInput, "has no pixel data", [&] { read_volume(pixels); });
}

TEST(BadInput, TruncatedJpeg2000) {
  const TemporaryFolder folder;
  std::string samples;
  for (int i = 0; i < 64 * 64; ++i) samples += DicomBytes::little(static_cast<std::uint64_t>(i * i % 3001), 2);
  DicomBytes slice;
  folder.write("in/a", slice.number(0x00280010, 64).number(0x00280011, 64).text(0x7FE00010, "OW", samples).bytes());
  const io::DicomSeries series = find_series(folder / "in").series.at(0);
  io::write_derived_series(
      folder / "out", series, io::read_series(series).voxels,
      {.description = "packed", .software_version = "1", .compression = io::DicomCompression::kJpeg2000});
  const io::detail::DicomFile whole = io::detail::open_dicom(folder / "out/IM00001.dcm");
  ASSERT_EQ(whole.pixels.size(), 1u);
  for (const std::size_t kept : {whole.pixels[0].size() / 2, std::size_t{100}, std::size_t{20}, std::size_t{0}}) {
    std::string bytes;
    io::detail::put_dicom(whole.dataset, {whole.transfer_syntax, {std::string(whole.pixels[0].substr(0, kept))}, 16},
                          [&](std::string_view part) { bytes += part; });
    const auto file = folder.write("cut", bytes);
    expect_error(Errc::kInput, "cut", [&] { read_volume(file); });
  }
}

TEST(BadInput, LinksInCirclesEndTheSearch) {
  const TemporaryFolder folder;
  folder.write("a/slice", DicomBytes().bytes());
  fs::create_directory_symlink(folder / "a", folder / "a/round");
  fs::create_directory_symlink(folder.path(), folder / "a/up");
  fs::create_symlink("self", folder / "self");
  fs::create_symlink("nowhere", folder / "broken");
  const DicomListing listing = find_series(folder.path());
  ASSERT_EQ(listing.series.size(), 1u);
  EXPECT_EQ(listing.series[0].slices.size(), 1u);
  EXPECT_TRUE(listing.unreadable.empty());
}

TEST(BadInput, ManyFilesBecomeOneSeries) {
  const TemporaryFolder folder;
  constexpr int kFiles = 3000;
  for (int k = 0; k < kFiles; ++k) {
    const std::string name = std::to_string(k);
    folder.write("in/" + std::to_string(k % 10) + "/" + name,
                 k % 2 == 0 ? DicomBytes().uid(name).position(0, 0, k).bytes() : "no DICOM");
  }
  const DicomListing listing = find_series(folder.path());
  ASSERT_EQ(listing.series.size(), 1u);
  EXPECT_EQ(listing.series[0].slices.size(), kFiles / 2);
}

TEST(BadInput, NothingIsLeftBehindWhenWritingFails) {
  const TemporaryFolder folder;
  for (int k = 0; k < 3; ++k)
    folder.write("in/" + std::to_string(k), DicomBytes().uid(std::to_string(k)).position(0, 0, k).bytes());
  const io::DicomSeries series = find_series(folder / "in").series.at(0);
  at::Tensor voxels = io::read_series(series).voxels;
  voxels[2][1][2] = std::numeric_limits<float>::infinity();
  expect_error(Errc::kNumeric, "IM00003.dcm of a derived series: cannot write: NaN or infinite voxels", [&] {
    io::write_derived_series(folder / "out", series, voxels, {.description = "d", .software_version = "1"});
  });
  EXPECT_FALSE(fs::exists(folder / "out"));
  EXPECT_FALSE(fs::exists(folder / ".out.reseda.part"));
}

}  // namespace
}  // namespace reseda::tests
