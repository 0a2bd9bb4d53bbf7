// reseda infrared upscale as real processes: counts, formats and metadata kept, killed and resumed, and what it
// refuses.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "io/image/image.hpp"
#include "io/record/json.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

/// A warm disc on a cold ramp, with texture: counts from `low` to `high`.
at::Tensor scene(std::int64_t height, std::int64_t width, double low, double high, double phase = 0) {
  const at::Tensor y = at::linspace(-1, 1, height).view({-1, 1}), x = at::linspace(-1, 1, width);
  const at::Tensor disc = ((x * x + y * y) < 0.3).to(at::kFloat), texture = (x * 9 + y * 7 + phase).sin();
  const at::Tensor shape = 0.3 * (x + 1) + 0.3 * disc + 0.1 * (texture + 1);
  return (low + (high - low) * shape).round().unsqueeze(0);
}

class InfraredCli : public testing::Test {
 protected:
  void write(const std::string& name, const at::Tensor& pixels, int bits,
             io::SampleType type = io::SampleType::kUnsigned, io::Alpha alpha = io::Alpha::kNone,
             const io::ImageMetadata& metadata = {}) const {
    fs::create_directories((folder_ / name).parent_path());
    io::write_image(folder_ / name, io::Image{pixels, bits, type, alpha, metadata});
  }
  io::Image read(const std::string& name) const { return io::read_image(folder_ / name); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  static std::string foreign(const std::string& name) {
    return std::string(RESEDA_SOURCE_DIR) + "/tests/fuzz/corpus/image/" + name;
  }
  static Words command(const Words& words) {
    Words all = {"reseda-infrared", "upscale", "--threads", "1"};
    all.insert(all.end(), words.begin(), words.end());
    const auto given = [&](const char* flag) { return std::ranges::find(words, flag) != words.end(); };
    if (!given("--method") && !given("--model")) all.insert(all.end(), {"--method", "bicubic"});
    return all;
  }
  static Outcome upscale(const Words& words, const std::string& input = "") {
    return run(command(words), {.input = input});
  }
  /// A number that --json tells of the first frame.
  static double fact(const Outcome& outcome, const char* name) {
    const ConfigNode line = io::parse_json(outcome.out.substr(0, outcome.out.find('\n')), "line");
    return std::stod(line.find("facts")->find(name)->scalar());
  }
  /// One input to a folder: fails with this code and these words, and leaves nothing.
  void expect_refused(const std::string& input, int code, const std::string& words) const {
    const Outcome got = upscale({input, "-o", path("refused/")});
    EXPECT_EQ(got.code, code) << input << ": " << got.err;
    EXPECT_THAT(got.err, HasSubstr(words)) << input;
    EXPECT_TRUE(!fs::exists(folder_ / "refused") || tree_of(folder_ / "refused").empty()) << input;
  }
  TemporaryFolder folder_;
};

TEST_F(InfraredCli, IdentityGivesEveryCountBack) {
  write("in/counts.tif", at::arange(65536).view({1, 256, 256}).to(at::kFloat), 16);
  write("in/few.png", scene(20, 24, 7300, 7700), 16);
  write("in/grey.png", scene(20, 24, 0, 255), 8);
  write("in/rgb.png", scene(9, 8, 0, 255).expand({3, 9, 8}), 8);
  write("in/signed.tif", scene(9, 8, -3000, 900), 16, io::SampleType::kSigned);
  const Outcome done = upscale({path("in"), "-o", path("out"), "--method", "identity"});
  ASSERT_EQ(done.code, 0) << done.err;
  for (const char* name : {"counts.tif", "few.png", "grey.png", "rgb.png", "signed.tif"}) {
    const io::Image before = read(std::string("in/") + name), after = read(std::string("out/") + name);
    EXPECT_TRUE(at::equal(after.pixels, before.pixels)) << name;
    EXPECT_EQ(after.bits, before.bits);
  }
}

TEST_F(InfraredCli, EveryKindOfFrameKeepsItsKindAndItsUnits) {
  write("in/a.png", scene(20, 24, 0, 255), 8);
  write("in/b.tif", scene(20, 24, 3000, 21000), 16);
  write("in/c.tiff", scene(20, 24, 270, 310) + 0.25, 32, io::SampleType::kFloat);
  write("in/d.jpg", scene(20, 24, 0, 255), 8);
  write("in/e.pgm", scene(20, 24, 0, 4000), 16);
  write("in/f.png", at::cat({scene(20, 24, 0, 255), at::full({1, 20, 24}, 128.0)}), 8, io::SampleType::kUnsigned,
        io::Alpha::kStraight);
  for (const auto& [scale, method] : {std::pair{4, "bicubic"}, {2, "lanczos"}}) {
    const std::string out = std::string("out-") + method + "/";
    const Outcome done = upscale({path("in"), "-o", path(out), "--scale", std::to_string(scale), "--method", method});
    ASSERT_EQ(done.code, 0) << done.err;
    for (const char* name : {"a.png", "b.tif", "c.tiff", "d.jpg", "e.pgm", "f.png"}) {
      const io::Image before = read(std::string("in/") + name), after = read(out + name);
      EXPECT_EQ(after.pixels.size(1), scale * 20) << name;
      EXPECT_EQ(after.pixels.size(2), scale * 24) << name;
      EXPECT_EQ(after.pixels.size(0), before.pixels.size(0)) << name;
      EXPECT_EQ(after.bits, before.bits) << name;
      const double span = (before.pixels[0].max() - before.pixels[0].min()).item<double>();
      EXPECT_NEAR(after.pixels[0].mean().item<double>(), before.pixels[0].mean().item<double>(), 0.005 * span) << name;
    }
    EXPECT_TRUE((read(out + "f.png").pixels[1] == 128).all().item<bool>());
  }
}

TEST_F(InfraredCli, MetadataStayPixelsShrinkAndTheFileSaysHowItWasMade) {
  io::ImageMetadata metadata;
  metadata.resolution = io::Resolution{10, 10, io::ResolutionUnit::kCentimetre};
  metadata.xmp = "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>";
  write("frame.tif", scene(8, 8, 100, 900), 16, io::SampleType::kUnsigned, io::Alpha::kNone, metadata);
  ASSERT_EQ(upscale({path("frame.tif"), "-o", path("up.tif")}).code, 0);
  const io::Image up = read("up.tif");
  EXPECT_DOUBLE_EQ(up.metadata.resolution->x, 40);
  EXPECT_EQ(up.metadata.xmp, metadata.xmp);
  EXPECT_THAT(folder_.read("up.tif"), HasSubstr("infrared upscale, x4, bicubic"));
}

TEST_F(InfraredCli, JsonTellsRangeAndAgreement) {
  write("in/a.tif", scene(16, 16, 3000, 4000), 16);
  const Outcome done = upscale({path("in"), "-o", path("out"), "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_NEAR(fact(done, "range_low"), 3000, 60);
  EXPECT_LT(std::abs(fact(done, "mean_offset")), 0.5);
  EXPECT_EQ(fact(done, "width"), 64);
  EXPECT_EQ(fact(done, "bits"), 16);
  const Outcome given = upscale({path("in"), "-o", path("given"), "--json", "--range", "0:5000"});
  EXPECT_EQ(fact(given, "range_low"), 0);
  EXPECT_EQ(fact(given, "range_high"), 5000);
}

TEST_F(InfraredCli, StemsStayAndFormatsChangeOnRequest) {
  write("in/sub/a.png", scene(8, 8, 0, 4000), 16);
  ASSERT_EQ(upscale({"-r", path("in"), "-o", path("out"), "--format", "tiff"}).code, 0);
  EXPECT_EQ(read("out/sub/a.tif").bits, 16);
  const Outcome refused = upscale({"-r", path("in"), "-o", path("jpeg"), "--format", "jpeg"});
  EXPECT_EQ(refused.code, 5) << "16 bits do not go into a JPEG";
  EXPECT_THAT(refused.err, HasSubstr("a.png"));
  write("in/sub/a.tif", scene(8, 8, 0, 4000), 16);
  EXPECT_EQ(upscale({"-r", path("in"), "-o", path("two"), "--format", "tiff"}).code, 2) << "two frames, one name";
}

TEST_F(InfraredCli, DryRunsWriteNothingAndOwnOutputsAreKnown) {
  write("in/a.png", scene(8, 8, 0, 255), 8);
  const Outcome dry = upscale({path("in"), "-o", path("out"), "--dry-run"});
  EXPECT_EQ(dry.code, 0);
  EXPECT_THAT(dry.out, HasSubstr("to do"));
  EXPECT_FALSE(fs::exists(folder_ / "out"));
  ASSERT_EQ(upscale({path("in"), "-o", path("out")}).code, 0);
  EXPECT_THAT(upscale({path("in"), "-o", path("out"), "--json"}).out, HasSubstr("\"skipped\""));
  EXPECT_EQ(upscale({path("in"), "-o", path("out"), "--scale", "2"}).code, 0) << "out of date, so made again";
  EXPECT_EQ(read("out/a.png").pixels.size(1), 16);
  folder_.write("mine/a.png", "mine");
  EXPECT_EQ(upscale({path("in"), "-o", path("mine")}).code, 5);
  EXPECT_EQ(folder_.read("mine/a.png"), "mine");
  EXPECT_EQ(upscale({path("in"), "-o", path("mine"), "--overwrite"}).code, 0);
}

TEST_F(InfraredCli, PipesTakeAndGiveOneFrame) {
  write("a.png", scene(8, 8, 0, 60000), 16);
  const Outcome done = upscale({"-"}, folder_.read("a.png"));
  ASSERT_EQ(done.code, 0) << done.err;
  const io::Image up = io::decode_image(done.out, "out");
  EXPECT_EQ(up.bits, 16);
  EXPECT_EQ(up.pixels.sizes(), at::IntArrayRef({1, 32, 32}));
  const Outcome bad = upscale({"-"}, "no picture");
  EXPECT_EQ(bad.code, 3);
  EXPECT_THAT(bad.err, AllOf(HasSubstr("standard input"), Not(HasSubstr("/proc"))));
}

TEST_F(InfraredCli, AKilledRunResumesToTheSameBytesAndShardsAddUp) {
  for (int i = 0; i < 12; ++i) write("in/" + std::to_string(i) + ".png", scene(200, 240, 100, 60000, 0.1 * i), 16);
  ASSERT_EQ(upscale({path("in"), "-o", path("whole"), "--sequence"}).code, 0);
  {
    Process killed(command({path("in"), "-o", path("out"), "--sequence"}));
    ASSERT_TRUE(eventually([&] { return fs::exists(folder_ / "out/0.png"); }));
    killed.send(SIGKILL);
    killed.wait();
  }
  const Outcome resumed = upscale({path("in"), "-o", path("out"), "--sequence", "--json"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, AllOf(HasSubstr("\"skipped\""), HasSubstr("\"done\"")));
  EXPECT_EQ(tree_of(folder_ / "out"), tree_of(folder_ / "whole"));
  for (const char* shard : {"2/3", "1/3", "3/3"})
    ASSERT_EQ(upscale({path("in"), "-o", path("shards"), "--sequence", "--shard", shard}).code, 0);
  EXPECT_EQ(tree_of(folder_ / "shards"), tree_of(folder_ / "whole"));
}

TEST_F(InfraredCli, TheSmallestFramesWork) {
  write("in/point.png", at::full({1, 1, 1}, 77.0), 8);
  write("in/row.tif", scene(1, 40, 500, 900), 16);
  write("in/column.tif", scene(40, 1, 500, 900), 16);
  write("in/flat.tif", at::full({1, 12, 12}, 4321.0), 16);
  ASSERT_EQ(upscale({path("in"), "-o", path("out")}).code, 0);
  EXPECT_TRUE((read("out/point.png").pixels == 77).all().item<bool>());
  EXPECT_TRUE((read("out/flat.tif").pixels == 4321).all().item<bool>());
  EXPECT_EQ(read("out/row.tif").pixels.sizes(), at::IntArrayRef({1, 4, 160}));
  EXPECT_EQ(read("out/column.tif").pixels.sizes(), at::IntArrayRef({1, 160, 4}));
}

TEST_F(InfraredCli, RefusesWhatIsNoThermalFrame) {
  expect_refused(foreign("palette.png"), 3, "colour picture");
  expect_refused(foreign("colour.jpg"), 3, "colour picture");
  expect_refused(foreign("rgb_alpha.tif"), 3, "colour picture");
  expect_refused(foreign("cmyk.jpg"), 3, "cmyk.jpg");
  expect_refused(foreign("animation.png"), 3, "animation.png");
  expect_refused(foreign("pages.tif"), 3, "pages.tif");
  expect_refused(foreign("five_bands.tif"), 3, "bands");
  expect_refused(foreign("huge_header.png"), 3, "huge_header.png");
  expect_refused(path("absent.png"), 3, "absent.png");
}

TEST_F(InfraredCli, RefusesDamagedFiles) {
  write("whole.png", scene(64, 64, 0, 60000), 16);
  const std::string whole = folder_.read("whole.png");
  folder_.write("cut.png", whole.substr(0, whole.size() / 2));
  expect_refused(path("cut.png"), 3, "cut.png");
  folder_.write("empty.png", "");
  expect_refused(path("empty.png"), 3, "is empty");
  folder_.write("words.tif", "no picture at all");
  expect_refused(path("words.tif"), 3, "not an image");
  // 30000 x 30000 pixels of 16 bits in a kilobyte.
  folder_.write("huge.pgm", "P5\n30000 30000\n65535\n" + std::string(1000, '\x7f'));
  expect_refused(path("huge.pgm"), 3, "huge.pgm");
  write("nan.tif", scene(4, 4, 100, 800), 32, io::SampleType::kFloat);
  io::ImageWriteOptions plain;
  plain.tiff_compression = io::TiffCompression::kNone;
  std::string bytes = io::encode_image(read("nan.tif"), ".tif", plain).bytes;
  const float pixel = read("nan.tif").pixels[0][2][1].item<float>(), nan = std::numeric_limits<float>::quiet_NaN();
  const std::size_t at = bytes.find(std::string(reinterpret_cast<const char*>(&pixel), sizeof pixel));
  ASSERT_NE(at, std::string::npos);
  std::memcpy(bytes.data() + at, &nan, sizeof nan);
  folder_.write("nan.tif", bytes);
  expect_refused(path("nan.tif"), 3, "NaN");
}

TEST_F(InfraredCli, OneBadFrameDoesNotEndTheRun) {
  write("in/good.png", scene(8, 8, 0, 255), 8);
  folder_.write("in/bad.png", "bad");
  const Outcome got = upscale({path("in"), "-o", path("out"), "--json"});
  EXPECT_EQ(got.code, 1);
  EXPECT_THAT(got.out, AllOf(HasSubstr("\"failed\""), HasSubstr("\"done\"")));
  EXPECT_TRUE(fs::exists(folder_ / "out/good.png"));
  EXPECT_FALSE(fs::exists(folder_ / "out/bad.png"));
}

TEST_F(InfraredCli, RefusesFlagsThatDoNotFit) {
  write("a.png", scene(300, 300, 0, 255), 8);
  const std::vector<std::pair<Words, std::string>> cases = {{{"--scale", "3"}, "scale"},
                                                            {{"--scale", "1"}, "--method identity"},
                                                            {{"--scale", "2", "--method", "identity"}, "--scale 1"},
                                                            {{"--samples", "2"}, "--samples"},
                                                            {{"--uncertainty"}, "--uncertainty"},
                                                            {{"--range", "5:1"}, "--range"},
                                                            {{"--max-memory", "much"}, "--max-memory"},
                                                            {{"--max-memory", "260MiB"}, "a.png: 300 x 300 pixels"},
                                                            {{"--mode", "fidelity"}, "--mode is for --method model"},
                                                            {{"--sharpen"}, "sharpen"}};
  for (const auto& [flags, words] : cases) {
    Words all = {path("a.png"), "-o", path("out.png")};
    all.insert(all.end(), flags.begin(), flags.end());
    const Outcome got = upscale(all);
    EXPECT_EQ(got.code, 2) << words << ": " << got.err;
    EXPECT_THAT(got.err, HasSubstr(words));
    EXPECT_FALSE(fs::exists(folder_ / "out.png"));
  }
}

}  // namespace
}  // namespace reseda::tests
