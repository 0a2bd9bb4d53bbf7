// reseda infrared upscale with the shipped model, as real processes: both modes and scales, 8 and 16 bits, tiles,
// shards and stops, and what its flags do.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "io/image/image.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::tests {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

/// Warm discs on a cold ramp, as [1,H,W] counts from `low` to `high`.
at::Tensor scene(std::int64_t height, std::int64_t width, double low, double high, double phase = 0) {
  const at::Tensor y = at::arange(height, at::kFloat).view({-1, 1}) / 9, x = at::arange(width, at::kFloat) / 11 + phase;
  const at::Tensor discs = (x.sin() * y.cos() > 0.5).to(at::kFloat), ramp = at::linspace(0, 1, width);
  return (low + (high - low) * (0.5 * discs + 0.4 * ramp + 0.05 * (1 + (3 * x + y).sin()))).round().unsqueeze(0);
}

class InfraredModelCli : public testing::Test {
 protected:
  void write(const std::string& name, const at::Tensor& pixels, int bits) const {
    fs::create_directories((folder_ / name).parent_path());
    io::write_image(folder_ / name, io::Image{pixels, bits, io::SampleType::kUnsigned, io::Alpha::kNone, {}});
  }
  at::Tensor read(const std::string& name) const { return io::read_image(folder_ / name).pixels; }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  static Words command(const Words& words) {
    Words all = {"reseda-infrared", "upscale", "--threads", "1"};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }
  static Outcome upscale(const Words& words) { return Process(command(words)).wait(/*seconds=*/240); }
  void expect_done(const Words& words) const {
    const Outcome got = upscale(words);
    ASSERT_EQ(got.code, 0) << got.err;
  }
  /// Largest difference of two results, as part of the range of the first.
  double difference(const std::string& a, const std::string& b) const {
    const at::Tensor x = read(a), y = read(b);
    return ((x - y).abs().max() / (x.max() - x.min())).item<double>();
  }
  TemporaryFolder folder_;
};

TEST_F(InfraredModelCli, ModesAndScalesKeepTheKindOfFrameAndItsCounts) {
  write("in/a.png", scene(40, 48, 20, 230), 8);
  write("in/b.tif", scene(40, 48, 7000, 9500), 16);
  expect_done({path("in"), "-o", path("bicubic"), "--method", "bicubic"});
  for (const char* mode : {"fidelity", "perceptual", "sample"})
    for (const int scale : {2, 4}) {
      const std::string out = mode + std::to_string(scale) + "/";
      expect_done({path("in"), "-o", path(out), "--mode", mode, "--scale", std::to_string(scale)});
      for (const char* name : {"a.png", "b.tif"}) {
        const io::Image before = io::read_image(folder_ / "in" / name), after = io::read_image(folder_ / out / name);
        EXPECT_EQ(after.pixels.sizes(), at::IntArrayRef({1, 40 * scale, 48 * scale})) << out << name;
        EXPECT_EQ(after.bits, before.bits);
        const double span = (before.pixels.max() - before.pixels.min()).item<double>();
        EXPECT_NEAR(after.pixels.mean().item<double>(), before.pixels.mean().item<double>(), 0.01 * span)
            << out << name;
      }
    }
  for (const char* name : {"a.png", "b.tif"}) {
    EXPECT_GT(difference(std::string("fidelity4/") + name, std::string("bicubic/") + name), 0.02) << name;
    for (const char* other : {"perceptual4/", "sample4/"})
      EXPECT_GT(difference(std::string("fidelity4/") + name, std::string(other) + name), 0.01) << other << name;
  }
}

TEST_F(InfraredModelCli, AFrameOfManyIsTheFrameAloneBitForBit) {
  for (int i = 0; i < 2; ++i) write("in/" + std::to_string(i) + ".tif", scene(40, 48, 100, 60000, i), 16);
  for (const char* mode : {"perceptual", "sample"}) {
    expect_done({path("in"), "-o", path("all"), "--mode", mode, "--overwrite"});
    for (const char* name : {"0.tif", "1.tif"}) {
      expect_done({path(std::string("in/") + name), "-o", path("alone/"), "--mode", mode, "--overwrite"});
      EXPECT_EQ(folder_.read(std::string("alone/") + name), folder_.read(std::string("all/") + name)) << mode << name;
    }
  }
}

TEST_F(InfraredModelCli, StopsAndShardsDoNotChangeABit) {
  for (int i = 0; i < 5; ++i) write("in/" + std::to_string(i) + ".png", scene(30, 36, 100, 60000, i), 16);
  const auto words = [&](const char* out, const Words& more = {}) {
    Words all = {path("in"), "-o", path(out), "--mode", "sample", "--uncertainty", "--samples", "2"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  expect_done(words("whole"));
  {
    Process killed(command(words("out")));
    ASSERT_TRUE(eventually([&] { return fs::exists(folder_ / "out/0.png"); }));
    killed.send(SIGKILL);
    killed.wait();
  }
  const Outcome resumed = upscale(words("out", {"--json"}));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, AllOf(HasSubstr("\"skipped\""), HasSubstr("\"done\"")));
  EXPECT_EQ(tree_of(folder_ / "out"), tree_of(folder_ / "whole"));
  for (const char* shard : {"2/2", "1/2"}) expect_done(words("shards", {"--shard", shard}));
  EXPECT_EQ(tree_of(folder_ / "shards"), tree_of(folder_ / "whole"));
}

TEST_F(InfraredModelCli, TilesAgree) {
  write("a.tif", scene(48, 224, 1000, 61000), 16);
  for (const char* mode : {"fidelity", "sample"}) {
    expect_done({path("a.tif"), "-o", path(std::string(mode) + "-0.tif"), "--mode", mode});
    expect_done({path("a.tif"), "-o", path(std::string(mode) + "-192.tif"), "--mode", mode, "--tile", "192"});
  }
  EXPECT_LE(difference("fidelity-0.tif", "fidelity-192.tif"), 1e-4) << "a margin covers all that the guide sees";
  EXPECT_LE(difference("sample-0.tif", "sample-192.tif"), 1e-2) << "and almost all of what a sample depends on";
  EXPECT_GT(difference("fidelity-0.tif", "fidelity-192.tif"), 0) << "tiles were not those of --tile 0";
}

TEST_F(InfraredModelCli, NoiseAndPrecisionAreWhatTheFlagsSay) {
  write("a.tif", scene(24, 30, 1000, 61000), 16);
  const auto one = [&](const std::string& out, const Words& more) {
    Words all = {path("a.tif"), "-o", path(out)};
    all.insert(all.end(), more.begin(), more.end());
    expect_done(all);
  };
  one("f32.tif", {"--mode", "fidelity"});
  one("bf16.tif", {"--mode", "fidelity", "--precision", "bf16"});
  EXPECT_GT(difference("f32.tif", "bf16.tif"), 1e-5);
  EXPECT_LT(difference("f32.tif", "bf16.tif"), 0.02);
  EXPECT_THAT(folder_.read("bf16.tif"), HasSubstr("fidelity, bf16"));
  one("doubt.tif", {"--mode", "sample"});
  one("same.tif", {"--mode", "sample", "--noise", "uncertainty"});
  one("even.tif", {"--mode", "sample", "--noise", "uniform"});
  EXPECT_EQ(difference("doubt.tif", "same.tif"), 0);
  EXPECT_GT(difference("doubt.tif", "even.tif"), 1e-3);
  EXPECT_THAT(folder_.read("even.tif"), HasSubstr("sample, uniform noise"));
  EXPECT_THAT(folder_.read("doubt.tif"), Not(HasSubstr("uniform")));
}

TEST_F(InfraredModelCli, TheDefaultIsTheMoreSharpTheMoreIsAskedFor) {
  write("a.tif", scene(40, 48, 1000, 61000), 16);
  const auto gradient = [&](const std::string& out, const Words& more) {
    Words all = {path("a.tif"), "-o", path(out)};
    all.insert(all.end(), more.begin(), more.end());
    expect_done(all);
    const at::Tensor x = read(out);
    return (x.diff(1, -1).abs().mean() + x.diff(1, -2).abs().mean()).item<double>();
  };
  const double least_error = gradient("f.tif", {"--mode", "fidelity"}), normal = gradient("p.tif", {}),
               most = gradient("s.tif", {"--sharpness", "1.2"});
  EXPECT_GT(normal, 1.02 * least_error);
  EXPECT_GT(most, 1.02 * normal);
  EXPECT_THAT(folder_.read("p.tif"), HasSubstr("perceptual"));
  gradient("turned.tif", {"--mode", "fidelity", "--samples", "8"});
  EXPECT_GT(difference("f.tif", "turned.tif"), 0);
  EXPECT_LT(difference("f.tif", "turned.tif"), 0.2) << "turned frames were not turned back";
}

TEST_F(InfraredModelCli, FlagsWithoutEffectAreRefused) {
  write("a.png", scene(8, 8, 0, 255), 8);
  const std::vector<std::pair<Words, std::string>> cases = {
      {{"--noise", "uniform"}, "--noise is for --mode sample alone"},
      {{"--steps", "3"}, "--steps is for --mode sample alone"},
      {{"--method", "bicubic", "--noise", "uniform"}, "--noise is for --method model alone"},
      {{"--method", "lanczos", "--precision", "bf16"}, "--precision is for --method model alone"},
      {{"--tile", "8"}, "--tile must be 0 or at least"},
      {{"--samples", "9"}, "--samples: at most 8 in this mode"},
      {{"--method", "bicubic", "--samples", "2"}, "--samples is for methods with a model"},
      {{"--mode", "fidelity", "--sharpness", "1"}, "--sharpness is for --mode perceptual alone"},
      {{"--noise", "loud"}, "noise"}};
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
