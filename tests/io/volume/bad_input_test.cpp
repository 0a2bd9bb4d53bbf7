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

/// A CT file of one JPEG frame without colour.
std::string jpeg_file(std::uint16_t rows, std::uint16_t columns, std::string_view syntax, const std::string& stream) {
  const DicomBytes slice = DicomBytes().number(0x00280010, rows).number(0x00280011, columns).bits(16, 12, 11, false);
  const io::detail::DicomFile plain = io::detail::parse_dicom(slice.bytes(), "plain");
  std::string file;
  io::detail::put_dicom(plain.dataset, {std::string(syntax), {stream}, 16},
                        [&](std::string_view part) { file += part; });
  return file;
}

std::string big_endian(std::uint16_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }

/// Marker, length, 12 bits, size, one component.
std::string frame_header(const std::string& marker, std::uint16_t rows, std::uint16_t columns) {
  return "\xFF\xD8" + marker + big_endian(11) + "\x0C" + big_endian(rows) + big_endian(columns) +
         std::string("\1\1\x11\0", 4) + "\xFF\xDA" + big_endian(8) + std::string("\1\1\0\0\0\0", 6);
}

/// JPEG-LS whose data are ones alone: runs as long as they can be.
std::string endless_runs(std::uint16_t rows, std::uint16_t columns, std::size_t bytes) {
  std::string stream = frame_header("\xFF\xF7", rows, columns);
  while (stream.size() < bytes - 2) stream += "\xFF\x7F";
  return stream + "\xFF\xD9";
}

TEST(BadInput, AFewBytesDoNotStandForMillionsOfPixels) {
  namespace syntax = io::detail::transfer_syntax;
  const TemporaryFolder folder;
  const auto read = [&](std::uint16_t rows, std::uint16_t columns, std::string_view uid, const std::string& stream) {
    return read_volume(folder.write("frame", jpeg_file(rows, columns, uid, stream)));
  };
  // Two bits a line: 20000 * 2 / 8 bytes.
  expect_error(Errc::kInput, "a compressed frame of 65535 x 20000 pixels has 1026 bytes, expected 5000 at least",
               [&] { read(20000, 65535, syntax::kJpegLs, endless_runs(20000, 65535, 1024)); });
  // A bit a pixel, and a bit a block of 8 x 8.
  expect_error(Errc::kInput, "a compressed frame of 1000 x 1000 pixels has 26 bytes, expected 125000 at least",
               [&] { read(1000, 1000, syntax::kJpegLossless, frame_header("\xFF\xC3", 1000, 1000)); });
  expect_error(Errc::kInput, "a compressed frame of 1000 x 1001 pixels has 26 bytes, expected 1969 at least",
               [&] { read(1001, 1000, "1.2.840.10008.1.2.4.51", frame_header("\xFF\xC1", 1001, 1000)); });
}

TEST(BadInput, BlankFramesSurviveJpegLs) {
  const TemporaryFolder folder;
  DicomBytes slice;
  slice.number(0x00280010, 128).number(0x00280011, 32768).text(0x7FE00010, "OW", std::string(128 * 32768 * 2, '\0'));
  folder.write("in/a", slice.bytes());
  const io::DicomSeries series = find_series(folder / "in").series.at(0);
  const at::Tensor voxels = io::read_series(series).voxels;
  io::write_derived_series(
      folder / "out", series, voxels,
      {.description = "packed", .software_version = "1", .compression = io::DicomCompression::kJpegLs});
  EXPECT_LT(fs::file_size(folder / "out/IM00001.dcm"), 2000u);
  EXPECT_TRUE(read_volume(folder / "out").voxels.equal(voxels));
}

TEST(BadInput, AJpegLsFrameWithoutItsEndIsRefusedAtOnce) {
  // The end of the second frame is overwritten; CharLS read on for ten seconds.
  expect_error(Errc::kInput, "is damaged: GDCM cannot decode a frame",
               [] { read_volume(RESEDA_SOURCE_DIR "/tests/fuzz/corpus/volume/jpeg_ls_open.dcm"); });
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
