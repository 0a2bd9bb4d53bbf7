#include "pipelines/infrared/evaluation/frame_pair.hpp"

#include <gtest/gtest.h>

#include "modules/signal/resize.hpp"
#include "tests/pipelines/infrared_evaluation/made_frames.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::infrared {
namespace {

namespace fs = std::filesystem;
using tests::expect_error;

class FramePairs : public testing::Test {
 protected:
  std::string save(const std::string& name, const at::Tensor& pixels, int bits = 8) {
    return save_frame(folder_, name, pixels, bits).string();
  }
  FramePair pair(const std::string& restored, const std::string& input = "") const {
    return {.name = "a", .reference = folder_ / "ref/a.png", .restored = restored, .input = input, .problem = {}};
  }
  tests::TemporaryFolder folder_;
};

TEST_F(FramePairs, ByNameOrX4InAnyFormat) {
  const at::Tensor x = made_frame(4, 4);
  for (const char* name : {"ref/a.png", "ref/deep/b.png", "ref/c.png", "ref/d.png", "out/ax4.tif", "out/deep/b.tif",
                           "out/d.png", "out/dx4.png", "out/other.png", "in/a.png", "in/deep/bx4.png", "in/d.png"})
    save(name, x);
  std::vector<std::string> extra;
  const std::vector<FramePair> pairs = match_frames({folder_ / "ref", folder_ / "out", folder_ / "in"}, extra);
  ASSERT_EQ(pairs.size(), 4U);
  EXPECT_EQ(pairs[0].name, "a");
  EXPECT_EQ(pairs[0].restored, folder_ / "out/ax4.tif");
  EXPECT_EQ(pairs[0].input, folder_ / "in/a.png");
  EXPECT_EQ(pairs[1].problem, "0 restored frames for it in " + (folder_ / "out").string() +
                                  ", expected one of that name or with x4 after it; 0 input frames for it in " +
                                  (folder_ / "in").string() + ", expected one of that name or with x4 after it");
  EXPECT_TRUE(pairs[2].problem.starts_with("2 restored frames")) << pairs[2].problem;
  EXPECT_EQ(pairs[3].name, "deep/b");
  EXPECT_EQ(pairs[3].problem, "");
  EXPECT_EQ(pairs[3].input, folder_ / "in/deep/bx4.png");
  EXPECT_EQ(extra, std::vector<std::string>{(folder_ / "out/other.png").string()});
  EXPECT_TRUE(match_frames({folder_ / "ref", folder_ / "out"}, extra)[0].input.empty());
  expect_error(Errc::kInput, "none: is not a folder", [&] {
    match_frames({folder_ / "none", folder_ / "out"}, extra);
  });
  save("ref/a.tif", x);
  expect_error(Errc::kInput, "a second reference of the name a", [&] {
    match_frames({folder_ / "ref", folder_ / "out"}, extra);
  });
}

TEST_F(FramePairs, MapsOfUncertaintyLieAmongRestoredFrames) {
  const at::Tensor x = made_frame(4, 4);
  for (const char* name : {"ref/a.png", "ref/b.png", "ref/c.png", "out/a.png", "out/a.png.uncertainty.tif",
                           "out/bx4.png", "out/bx4.uncertainty.tif", "out/c.png"})
    save(name, x);
  std::vector<std::string> extra;
  const fs::path out = folder_ / "out";
  const std::vector<FramePair> pairs =
      match_frames({.reference = folder_ / "ref", .restored = out, .uncertainty = out}, extra);
  ASSERT_EQ(pairs.size(), 3U);
  EXPECT_EQ(pairs[0].restored, out / "a.png");
  EXPECT_EQ(pairs[0].uncertainty, out / "a.png.uncertainty.tif");
  EXPECT_EQ(pairs[1].uncertainty, out / "bx4.uncertainty.tif");
  EXPECT_TRUE(pairs[2].problem.starts_with("0 uncertainty frames for it in")) << pairs[2].problem;
  EXPECT_TRUE(extra.empty());
  EXPECT_EQ(match_frames({folder_ / "ref", out}, extra)[2].problem, "") << "none was asked for";
  FramePair other = pairs[0];
  other.uncertainty = save("maps/a.png.uncertainty.tif", made_frame(4, 5));
  expect_error(Errc::kInput, "uncertainty.tif: 5x4 pixels, the reference has 4x4", [&] { read_triple(other); });
  EXPECT_TRUE(read_triple(pairs[0]).uncertainty.equal(x));
}

TEST_F(FramePairs, GreyOfColours) {
  const at::Tensor x = made_frame(3, 5);
  EXPECT_TRUE(read_grey(save("g.png", x)).pixels.equal(x));
  EXPECT_TRUE(read_grey(save("e.png", x.expand({3, 3, 5}))).pixels.equal(x));
  // 0.299 * 10 + 0.587 * 200 + 0.114 * 30 = 123.81
  const at::Tensor colours = at::tensor({10.F, 200.F, 30.F}).view({3, 1, 1}).expand({3, 2, 2});
  EXPECT_TRUE(read_grey(save("c.png", colours)).pixels.equal(at::full({2, 2}, 124.F)));
  const GreyFrame deep = read_grey(save("d.tif", x * 100, 16));
  EXPECT_FALSE(deep.is_8bit());
  EXPECT_TRUE(deep.pixels.equal(x * 100));
  EXPECT_TRUE(read_grey(save("8.tif", x)).is_8bit());
}

TEST_F(FramePairs, InputsAreEnlargedAsAFileWouldHoldThem) {
  const at::Tensor x = made_frame(24, 20), small = made_frame(6, 5);
  save("ref/a.png", x);
  const std::string restored = save("out/a.png", x), input = save("in/a.png", small);
  const at::Tensor bytes = signal::resize(small.to(at::kByte), 24, 20, "pillow_bicubic");
  EXPECT_TRUE(read_triple(pair(restored, input)).input.pixels.equal(bytes.to(at::kFloat)));
  EXPECT_FALSE(read_triple(pair(restored)).input.pixels.defined());
  EXPECT_TRUE(read_triple(pair(restored, restored)).input.pixels.equal(x)) << "one size is left as it is";

  save("ref/a.png", x * 250, 16);
  const at::Tensor steps = at::where(at::arange(5) > 1, 65535.F, 0.F).expand({6, 5});
  const std::string deep = save("out/a16.png", x * 250, 16), deep_input = save("in/a16.png", steps, 16);
  const at::Tensor enlarged = read_triple(pair(deep, deep_input)).input.pixels,
                   unclipped = signal::resize(steps, 24, 20, "pillow_bicubic");
  EXPECT_TRUE(enlarged.equal(unclipped.round().clamp(0, 65535)));
  EXPECT_GT(unclipped.max().item<double>(), 66000) << "a cubic overshoots, a file does not";
}

TEST_F(FramePairs, UnlikeFramesAreRefused) {
  const at::Tensor x = made_frame(24, 20);
  save("ref/a.png", x);
  const std::string good = save("out/a.png", x), small = save("out/s.png", made_frame(24, 19)),
                    deep = save("out/d.png", x, 16);
  expect_error(Errc::kInput,
               small + ": 19x24 pixels of 8 bits unsigned, the reference has 20x24 pixels of 8 bits unsigned",
               [&] { read_triple(pair(small)); });
  expect_error(Errc::kInput, "16 bits unsigned, the reference has", [&] { read_triple(pair(deep)); });
  expect_error(Errc::kInput, "16 bits unsigned, the reference has", [&] { read_triple(pair(good, deep)); });
  expect_error(Errc::kInput, "not a smaller frame of the reference's 20x24",
               [&] { read_triple(pair(good, save("in/big.png", made_frame(48, 40)))); });
  expect_error(Errc::kInput, "not a smaller frame of the reference's 20x24",
               [&] { read_triple(pair(good, save("in/wide.png", made_frame(6, 18)))); });
}

}  // namespace
}  // namespace reseda::infrared
