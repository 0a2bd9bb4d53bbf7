#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "io/image/exif.hpp"
#include "io/image/geo_reference.hpp"
#include "tests/io/image/image_fixture.hpp"

namespace reseda::io {
namespace {

using detail::Exif, detail::find_tag, detail::parse_exif, detail::tag_value;

const std::string kXmp = R"(<x:xmpmeta xmlns:x="adobe:ns:meta/"/>)";

std::string tag_bytes(const std::vector<TiffTag>& tags, std::uint16_t number) {
  const TiffTag* tag = find_tag(tags, number);
  return tag == nullptr ? "absent" : tag->bytes;
}

/// The block that the foreign files carry: make, orientation 6, exposure 1/250 s, latitude north.
void expect_foreign_exif(const std::string& block) {
  const Exif exif = parse_exif(block);
  EXPECT_EQ(tag_bytes(exif.main, 271), std::string("Maker\0", 6));
  EXPECT_EQ(tag_bytes(exif.camera, 33434), std::string("\1\0\0\0\xFA\0\0\0", 8));
  EXPECT_EQ(tag_bytes(exif.gps, 1), std::string("N\0", 2));
  EXPECT_EQ(tag_bytes(exif.gps, 2).size(), 24u);
}

TEST(Metadata, OfPng) {
  const Image image = read_image(foreign("metadata.png"));
  const ImageMetadata& m = image.metadata;
  expect_foreign_exif(m.exif);
  EXPECT_EQ(m.exif.substr(0, 4), std::string("MM\0*", 4)) << "as it was";
  EXPECT_EQ(m.orientation, 6);
  EXPECT_EQ(m.xmp, kXmp);
  ASSERT_TRUE(m.resolution.has_value());
  EXPECT_EQ(m.resolution->unit, ResolutionUnit::kCentimetre);
  EXPECT_DOUBLE_EQ(m.resolution->x, 28.35);
  EXPECT_DOUBLE_EQ(m.resolution->y, 28.36);
  EXPECT_EQ(m.text, (std::vector<std::pair<std::string, std::string>>{{"Author", "J\xC3\xB6rg"},
                                                                      {"Comment", "after the pixels"}}));
  EXPECT_EQ(m.png_chunks, (std::vector<std::pair<std::string, std::string>>{{"gAMA", std::string("\0\0\xB1\x8F", 4)},
                                                                            {"sRGB", std::string(1, '\0')}}));

  const ImageMetadata back = there_and_back(image, ".png").metadata;
  EXPECT_EQ(back.exif, m.exif);
  EXPECT_EQ(back.xmp, m.xmp);
  EXPECT_EQ(back.text, m.text);
  EXPECT_EQ(back.png_chunks, m.png_chunks);
  EXPECT_EQ(back.orientation, 6);
  EXPECT_DOUBLE_EQ(back.resolution->y, 28.36);
}

TEST(Metadata, OfJpeg) {
  const Image image = read_image(foreign("colour.jpg"));
  const ImageMetadata& m = image.metadata;
  expect_foreign_exif(m.exif);
  EXPECT_EQ(m.orientation, 6);
  EXPECT_EQ(m.xmp, kXmp);
  EXPECT_EQ(m.icc.size(), 588u);
  EXPECT_EQ(m.resolution->unit, ResolutionUnit::kInch);
  EXPECT_EQ(m.resolution->x, 300.0);
  EXPECT_EQ(m.resolution->y, 200.0);
  EXPECT_EQ(m.text, (std::vector<std::pair<std::string, std::string>>{{"Comment", "a comment"}}));
  const ImageMetadata back = there_and_back(image, ".jpg").metadata;
  EXPECT_EQ(back.exif, m.exif);
  EXPECT_EQ(back.xmp, m.xmp);
  EXPECT_EQ(back.icc, m.icc);
  EXPECT_EQ(back.text, m.text);
  EXPECT_EQ(back.resolution->y, 200.0);
}

TEST(Metadata, OfTiff) {
  const Image image = read_image(foreign("geo.tif"));
  for (const Image& each : {image, there_and_back(image, ".tif")}) {
    const ImageMetadata& m = each.metadata;
    EXPECT_EQ(m.orientation, 3);
    EXPECT_DOUBLE_EQ(m.resolution->x, 118.11);
    EXPECT_EQ(m.resolution->y, 72.0);
    EXPECT_EQ(m.resolution->unit, ResolutionUnit::kCentimetre);
    EXPECT_EQ(tag_bytes(m.tags, 65000), "maker");
    EXPECT_EQ(tag_bytes(m.tags, 33550).size(), 24u);
    EXPECT_EQ(tag_bytes(m.tags, 34735).size(), 16u);
    EXPECT_EQ(m.tags.size(), 4u) << "nothing that describes how pixels are stored";
    EXPECT_EQ(tag_bytes(parse_exif(m.exif).main, 270), std::string("a frame\0", 8));
    EXPECT_EQ(tag_bytes(parse_exif(m.exif).main, 305), std::string("softw\0", 6));
  }
  for (std::size_t i = 0; i < image.metadata.tags.size(); ++i) {
    const TiffTag& tag = image.metadata.tags[i];
    EXPECT_EQ(tag_bytes(there_and_back(image, ".tif").metadata.tags, tag.number), tag.bytes);
  }
}

TEST(Metadata, MovesBetweenContainers) {
  for (const char* from : {"metadata.png", "colour.jpg", "exif.tif"}) {
    for (const char* to : {".png", ".jpg", ".tif"}) {
      SCOPED_TRACE(testing::Message() << from << " to " << to);
      const Image image = read_image(foreign(from));
      const ImageMetadata back = there_and_back(image, to).metadata;
      expect_foreign_exif(back.exif);
      EXPECT_EQ(back.orientation, 6);
      EXPECT_EQ(back.xmp, image.metadata.xmp);
      if (from != std::string("metadata.png")) {
        EXPECT_EQ(back.icc, image.metadata.icc);
      }
      EXPECT_EQ(back.resolution.has_value(), image.metadata.resolution.has_value());
    }
  }
}

TEST(Metadata, AProfileOfOtherColoursIsLeftOut) {
  Image image = read_image(foreign("profile.png"));
  ASSERT_EQ(image.metadata.icc.size(), 588u);
  image.pixels = image.pixels.slice(0, 0, 1);
  for (const char* to : {".png", ".jpg", ".tif"}) EXPECT_EQ(there_and_back(image, to).metadata.icc, "") << to;
}

TEST(Metadata, OrientationIsWrittenWithoutExif) {
  Image image = make_image(pattern(1, 9, 13));
  for (const char* to : {".png", ".jpg", ".tif"}) {
    EXPECT_EQ(there_and_back(image, to).metadata.exif, "") << to;
    image.metadata.orientation = 8;
    EXPECT_EQ(there_and_back(image, to).metadata.orientation, 8) << to;
    image.metadata.orientation = 1;
  }
  image = read_image(foreign("metadata.png"));
  image.metadata.orientation = 1;
  for (const char* to : {".png", ".jpg", ".tif"}) {
    const ImageMetadata back = there_and_back(image, to).metadata;
    EXPECT_EQ(back.orientation, 1) << to;
    expect_foreign_exif(back.exif);
  }
}

TEST(Metadata, ProvenanceIsWritten) {
  const Image image = make_image(pattern(1, 9, 13));
  const ImageWriteOptions options{.provenance = "reseda 1, seed 3"};
  using Texts = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(there_and_back(image, ".png", options).metadata.text, (Texts{{"Software", "reseda 1, seed 3"}}));
  EXPECT_EQ(there_and_back(image, ".jpg", options).metadata.text, (Texts{{"Comment", "reseda 1, seed 3"}}));
  const std::string exif = there_and_back(image, ".tif", options).metadata.exif;
  EXPECT_EQ(tag_bytes(parse_exif(exif).main, 305), std::string("reseda 1, seed 3\0", 17));
}

TEST(Metadata, KeywordsThatPngCannotHoldAreLeftOut) {
  Image image = make_image(pattern(1, 9, 13));
  image.metadata.text = {{"", "a"}, {"  ", "b"}, {std::string(80, 'k'), "c"}, {"line\n", "d"}, {"Title", "e"}};
  const auto text = there_and_back(image, ".png").metadata.text;
  ASSERT_EQ(text.size(), 1u);
  EXPECT_EQ(text[0].second, "e");
}

std::vector<double> numbers(const std::vector<TiffTag>& tags, std::uint16_t number) {
  const std::string bytes = tag_bytes(tags, number);
  std::vector<double> values(bytes.size() / 8);
  std::memcpy(values.data(), bytes.data(), values.size() * 8);
  return values;
}

TEST(ScaleGeometry, GeoTiffOfAreas) {
  ImageMetadata m = read_image(foreign("geo.tif")).metadata;
  scale_geometry(m, 4);
  EXPECT_EQ(numbers(m.tags, 33550), (std::vector<double>{0.125, 0.0625, 0}));
  EXPECT_EQ(numbers(m.tags, 33922), (std::vector<double>{8, 12, 0, 100, 200, 0}));
  EXPECT_DOUBLE_EQ(m.resolution->x, 4 * 118.11);
}

/// A tag of DOUBLEs.
TiffTag doubles_tag(std::uint16_t number, const std::vector<double>& values) {
  return {number, detail::kDouble, {reinterpret_cast<const char*>(values.data()), values.size() * 8}};
}

TEST(ScaleGeometry, KeepsWherePixelsLie) {
  // Key 1025 (raster type) = 2: coordinates mean centres. The point of old pixel (1, 2) lies at old raster (1, 2); its
  // four new pixels' centre is new raster (2.5, 4.5).
  const TiffTag keys = detail::short_tag(34735, std::vector<std::uint16_t>{1, 1, 0, 1, 1025, 0, 1, 2});
  const std::vector<double> matrix = {0.5, 0.1, 0, 7, -0.2, 0.25, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1};
  ImageMetadata m;
  m.tags = {keys, doubles_tag(33922, {1, 2, 0, 100, 200, 0}), doubles_tag(34264, matrix)};
  scale_geometry(m, 2);
  EXPECT_EQ(numbers(m.tags, 33922), (std::vector<double>{2.5, 4.5, 0, 100, 200, 0}));
  const std::vector<double> scaled = numbers(m.tags, 34264);
  EXPECT_NEAR(scaled[0] * 2.5 + scaled[1] * 4.5 + scaled[3], 0.5 * 1 + 0.1 * 2 + 7, 1e-12);
  EXPECT_NEAR(scaled[4] * 2.5 + scaled[5] * 4.5 + scaled[7], -0.2 * 1 + 0.25 * 2 + 9, 1e-12);
  EXPECT_EQ(scaled[15], 1.0);
}

TEST(ScaleGeometry, ExifHasTheNewSizeAndTheRestOfItself) {
  Exif exif;
  exif.main = {{271, detail::kAscii, std::string("FLIR\0", 5)}};
  exif.camera = {detail::short_tag(40962, std::array<std::uint16_t, 1>{30000}),
                 detail::long_tag(40963, std::array<std::uint32_t, 1>{512}),
                 detail::short_tag(41985, std::array<std::uint16_t, 1>{1})};
  ImageMetadata m;
  m.exif = detail::make_exif(exif);
  scale_geometry(m, 4);
  const Exif scaled = parse_exif(m.exif);
  EXPECT_EQ(detail::tag_value(scaled.camera, 40962, 0), 120000u);
  EXPECT_EQ(detail::tag_value(scaled.camera, 40963, 0), 2048u);
  EXPECT_EQ(detail::tag_value(scaled.camera, 41985, 0), 1u);
  EXPECT_EQ(tag_bytes(scaled.main, 271), std::string("FLIR\0", 5));
}

TEST(Exif, DamagedBlocksAreEmpty) {
  const std::string block = read_image(foreign("metadata.png")).metadata.exif;
  for (std::size_t size = 0; size < block.size(); ++size) {
    const Exif cut = parse_exif(block.substr(0, size));
    EXPECT_LE(cut.main.size(), 4u);
    EXPECT_GE(detail::exif_orientation(block.substr(0, size)), 1);
  }
  EXPECT_TRUE(parse_exif("no block").main.empty());
  EXPECT_EQ(detail::make_exif({}), "");
}

}  // namespace
}  // namespace reseda::io
