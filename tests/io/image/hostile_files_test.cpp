#include <array>
#include <limits>

#include "io/image/tiff_directory.hpp"
#include "modules/core/allocation_limit.hpp"
#include "tests/io/image/image_fixture.hpp"

namespace reseda::io {
namespace {

using detail::long_tag, detail::short_tag;

void expect_refusal(const std::string& bytes, const std::string& words, const ImageLimits& limits = {}) {
  // Neither pixels nor anything near them may be allocated.
  const AllocationLimit limit(1 << 20, Errc::kInternal, "takes memory before it checks");
  expect_error(Errc::kInput, "x: " + words, [&] { decode_image(bytes, "x", limits); });
}

/// A grey TIFF of one strip with the given tags added or put in place of ours.
std::string tiff(std::uint32_t width, std::uint32_t height, const std::string& samples,
                 const detail::TiffDirectory& other = {}) {
  const auto size = static_cast<std::uint32_t>(samples.size());
  detail::TiffDirectory tags = {long_tag(256, std::array{width}),
                                long_tag(257, std::array{height}),
                                short_tag(258, std::array<std::uint16_t, 1>{8}),
                                short_tag(259, std::array<std::uint16_t, 1>{1}),
                                short_tag(262, std::array<std::uint16_t, 1>{1}),
                                long_tag(273, std::array<std::uint32_t, 1>{8}),
                                short_tag(277, std::array<std::uint16_t, 1>{1}),
                                long_tag(278, std::array{height}),
                                long_tag(279, std::array{size})};
  for (const TiffTag& tag : other) {
    std::erase_if(tags, [&](const TiffTag& ours) { return ours.number == tag.number; });
    tags.push_back(tag);
  }
  std::string out = detail::tiff_header() + samples;
  detail::set_first_directory(out, detail::append_directory(out, tags));
  return out;
}

TiffTag one(std::uint16_t number, std::uint16_t value) { return short_tag(number, std::array{value}); }

TEST(HostileFiles, SaysWhatIsWrongWithAFile) {
  const tests::TemporaryFolder folder;
  expect_error(Errc::kInput, "absent.png: cannot read: No such file", [&] { read_image(folder / "absent.png"); });
  expect_error(Errc::kInput, "cannot read: not a regular file", [&] { read_image(folder.path()); });
  expect_refusal("", "is empty (0 bytes), expected an image");
  for (const std::string& other :
       {std::string("words, not pixels\n"), std::string("GIF89a"), std::string(2000, '\0'),
        std::string("RIFF\0\0\0\0WEBP", 12), std::string("P5"), std::string("II"), std::string("II*\0", 4)}) {
    expect_refusal(other, "is not an image that can be read, expected PNG, TIFF, JPEG, PGM or PPM");
  }
}

TEST(HostileFiles, EveryCutIsAnError) {
  for (const char* name :
       {"grey8.png", "rgba16.png", "interlaced.png", "metadata.png", "grey8.tif", "lzw16.tif", "deflate_tiled16.tif",
        "packbits.tif", "planar_rgb.tif", "grey16.pgm", "colour.jpg", "progressive.jpg"}) {
    const std::string whole = bytes_of(foreign(name));
    // JPEG: without its last bytes the pixels may be whole, but the end marker is missing.
    for (std::size_t size = 0; size < whole.size(); size += 1 + whole.size() / 300) {
      SCOPED_TRACE(testing::Message() << name << " cut at " << size << " of " << whole.size());
      expect_error(Errc::kInput, name, [&] { decode_image(whole.substr(0, size), name); });
    }
  }
}

TEST(HostileFiles, HugeHeadersTakeNoMemory) {
  expect_refusal(bytes_of(foreign("huge_header.png")),
                 "its header says 30000 x 30000 pixels of 1 channels, more than the limit of 268435456 samples");
  expect_refusal(bytes_of(foreign("huge_header.png")),
                 "its header says 30000 x 30000 pixels, more than its 69 bytes can hold", {1'000'000'000});
  expect_refusal("P5 30000 30000 255\n", "its header says 30000 x 30000 pixels");
  expect_refusal("P5 16000 16000 255\nabc",
                 "is cut short: its header says 16000 x 16000 pixels of 1 channels, 3 bytes follow");
  expect_refusal(tiff(16000, 16000, "abc"), "its header says 16000 x 16000 pixels, more than its ");
  expect_refusal(tiff(30000, 30000, "abc"), "its header says 30000 x 30000 pixels of 1 channels, more than the limit");
  expect_refusal(tiff(16000, 16000, "abc", {one(259, 8)}), "its header says 16000 x 16000 pixels, more than its ");
  expect_refusal(tiff(0xFFFFFFFFU, 0xFFFFFFFFU, "abc"), "");
  std::string jpeg = bytes_of(foreign("grey.jpg"));
  const std::size_t frame = jpeg.find(std::string("\xFF\xC0\0\x0B\x08", 5));
  ASSERT_NE(frame, jpeg.npos);
  jpeg.replace(frame + 5, 4, "\x3E\x80\x3E\x80");
  expect_refusal(jpeg, "its header says 16000 x 16000 pixels, more than its 433 bytes can hold");
  expect_refusal(bytes_of(foreign("chunk_beyond_the_end.png")), "cannot be decoded as PNG: is cut short");
}

TEST(HostileFiles, TilesLargerThanTheLimitTakeNoMemory) {
  const detail::TiffDirectory tiles = {
      long_tag(322, std::array<std::uint32_t, 1>{0x7FFFFFF0}), long_tag(323, std::array<std::uint32_t, 1>{0x7FFFFFF0}),
      long_tag(324, std::array<std::uint32_t, 1>{8}), long_tag(325, std::array<std::uint32_t, 1>{3})};
  expect_refusal(tiff(1, 1, "abc", tiles), "its tiles of 2147483632 x 2147483632 pixels are more than the limit");
}

TEST(HostileFiles, LimitIsTheCallers) {
  const std::string bytes = bytes_of(foreign("grey8.png"));
  EXPECT_NO_THROW(decode_image(bytes, "x", {117}));
  expect_refusal(bytes, "its header says 13 x 9 pixels of 1 channels, more than the limit of 116 samples", {116});
}

TEST(HostileFiles, NoPixels) {
  expect_refusal(tiff(0, 5, "abc"), "");
  expect_refusal("P5 0 5 255\n", "has no pixels (0 x 5)");
  expect_refusal("P5 5 99999999999999999999 255\n", "cannot be decoded as PNM: a number is missing");
}

TEST(HostileFiles, OtherBitDepthsAndColoursAreNamed) {
  const std::string data(64, 'x');
  const auto refuse = [&](const detail::TiffDirectory& tags, const std::string& words) {
    expect_refusal(tiff(4, 4, data, tags), words);
  };
  refuse({one(258, 12)}, "has samples of 12 bits (sample format 1), expected 1, 2, 4, 8, 16 or 32-bit integers");
  refuse({one(258, 24), one(339, 3)}, "has samples of 24 bits (sample format 3)");
  refuse({one(258, 8), one(339, 3)}, "has samples of 8 bits (sample format 3)");
  refuse({one(258, 64)}, "has samples of 64 bits (sample format 1)");
  refuse({one(258, 4), one(339, 2)}, "has samples of 4 bits (sample format 2)");
  refuse({one(258, 32), one(339, 5)}, "has complex samples, expected real ones");
  refuse({one(262, 0), one(339, 2)}, "is WhiteIsZero with samples that are not 1 to 16-bit unsigned integers");
  refuse({one(262, 0), one(258, 32)}, "is WhiteIsZero with samples that are not 1 to 16-bit unsigned integers");
  refuse({one(262, 8)}, "is of photometric interpretation 8, expected grey, RGB or a palette");
  refuse({one(262, 2)}, "has 1 channels, expected at least 3 of RGB");
  refuse({one(259, 4), one(258, 1)}, "is compressed by CCITT Group 4 (4), expected none, PackBits, LZW or Deflate");
  refuse({one(259, 50000)}, "is compressed by ");
  refuse({one(259, 12345)}, "is compressed by scheme (12345)");
  const auto cmyk = short_tag(258, std::array<std::uint16_t, 4>{8, 8, 8, 8});
  refuse({one(277, 4), cmyk, one(262, 5)},
         "is of photometric interpretation 5 (CMYK), expected grey, RGB or a palette");
  refuse({one(277, 65)}, "");
  expect_refusal("P5 2 2 4095\n........", "has the maximum 4095, expected 255 or 65535");
}

TEST(HostileFiles, NonFiniteFloatsAreNamed) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::array<float, 6> values = {1, 2, 3, 4, bad, 6};
    const std::string data(reinterpret_cast<const char*>(values.data()), sizeof values);
    expect_refusal(
        tiff(3, 2, data, {one(258, 32), one(339, 3)}),
        std::string("pixel is ") + (std::isnan(bad) ? "NaN" : "infinite") + " at row 1, column 1, channel 0");
  }
}

TEST(HostileFiles, LargeIntegersAreRefusedWhereFloatsAreNotExact) {
  const std::array<std::uint32_t, 2> values = {16777216, 16777217};
  const std::string data(reinterpret_cast<const char*>(values.data()), sizeof values);
  EXPECT_EQ(decode_image(tiff(1, 1, data.substr(0, 4), {one(258, 32)}), "x").pixels.item<double>(), 16777216.0);
  std::array<std::uint32_t, 1> large = {16777218};
  expect_refusal(tiff(1, 1, {reinterpret_cast<const char*>(large.data()), 4}, {one(258, 32)}),
                 "has 32-bit values from 16777218 to 16777218, expected them within +-16777216");
}

TEST(HostileFiles, LoopsOfDirectoriesEnd) {
  std::string bytes = tiff(4, 4, std::string(16, 'x'), {one(254, 1)});
  // The next directory of the first is the first.
  const std::string first = bytes.substr(4, 4);
  const std::size_t at = static_cast<unsigned char>(first[0]) + (static_cast<unsigned char>(first[1]) << 8);
  const std::size_t count = static_cast<unsigned char>(bytes[at]);
  bytes.replace(at + 2 + 12 * count, 4, first);
  expect_refusal(bytes, "holds no page of full resolution");
}

TEST(HostileFiles, TagsTogetherTakeNoMoreThanTheFile) {
  // 2000 tags that all point at the same 60000 bytes.
  std::string bytes = detail::tiff_header() + std::string(60000, 'x');
  detail::TiffDirectory tags;
  for (std::uint16_t i = 0; i < 2000; ++i)
    tags.push_back(long_tag(static_cast<std::uint16_t>(40000 + i), std::array<std::uint32_t, 1>{8}));
  const std::uint32_t at = detail::append_directory(bytes, tags);
  for (std::size_t i = 0; i < 2000; ++i) bytes.replace(at + 2 + 12 * i + 2, 6, std::string("\7\0\x60\xEA\0\0", 6));
  detail::set_first_directory(bytes, at);
  const detail::TiffBytes file(bytes);
  std::size_t total = 0;
  for (const TiffTag& tag : file.directory(file.first_directory()).tags) total += tag.bytes.size();
  EXPECT_LE(total, bytes.size());
  EXPECT_GE(total, 60000u);
}

}  // namespace
}  // namespace reseda::io
